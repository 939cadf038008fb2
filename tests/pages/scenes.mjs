// Runs of the real program whose dbt is the tests' fake: each scene leaves pages in a folder.
import { spawn } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, readFileSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

const folders = [];
process.on('exit', () => folders.forEach((folder) => rmSync(folder, { recursive: true, force: true })));

const escaped = (text) => encodeURIComponent(text);
const iso = (seconds) => new Date(seconds * 1000).toISOString();

// A node as dbt 1 reports it, `start` and `end` in seconds from the beginning of its step.
export function node(id, status, start, end, more = {}) {
  return { unique_id: id, status, start, end, thread_id: 'Thread-1 (worker)', message: null, ...more };
}

function results(nodes, base) {
  const timed = nodes.map(({ start, end, ...rest }) => ({
    ...rest,
    execution_time: end === undefined ? 0 : end - start,
    adapter_response: { rows_affected: 7 },
    timing: end === undefined ? [] : [{
      name: 'execute', started_at: iso(base + start), completed_at: iso(base + end),
    }],
  }));
  return JSON.stringify({ metadata: {}, results: timed, args: {} });
}

export class Scene {
  constructor() {
    this.folder = mkdtempSync(join(tmpdir(), 'pages-'));
    folders.push(this.folder);
    for (const name of ['project', 'fake', 'out/state']) mkdirSync(join(this.folder, name), { recursive: true });
    writeFileSync(join(this.folder, 'project/dbt_project.yml'), "name: shop\nversion: '1.0'\nprofile: shop\n");
    writeFileSync(
      join(this.folder, 'project/profiles.yml'),
      'shop:\n  target: dev\n  outputs:\n    dev: {type: duckdb, path: shop.duckdb}\n',
    );
    this.lines = [];
  }

  on(step, verb, argument = '') {
    this.lines.push(`${step}\t${verb}\t${escaped(argument)}`);
    return this;
  }

  // The step takes some time, in which these nodes ran.
  nodes(step, nodes, { code = 0, seconds = 1.2, graph = {} } = {}) {
    const base = Date.now() / 1000 + 0.5;
    const manifest = { nodes: {} };
    for (const [id, parents] of Object.entries(graph)) manifest.nodes[id] = { depends_on: { nodes: parents } };
    this.on(step, 'sleep-ms', String(seconds * 1000));
    if (Object.keys(graph).length > 0) this.on(step, 'write', `manifest.json ${JSON.stringify(manifest)}`);
    const file = step === 'source' ? 'sources.json' : 'run_results.json';
    this.on(step, 'write', `${file} ${results(nodes, base)}`);
    if (code !== 0) this.on(step, 'exit', String(code));
    return this;
  }

  history(runs) {
    writeFileSync(join(this.folder, 'out/state/history.json'), JSON.stringify({ v: 1, runs }));
    return this;
  }

  // Resolves once something is at the destination.
  async until(path) {
    while (!existsSync(join(this.folder, 'out', path))) await new Promise((done) => { setTimeout(done, 20); });
  }

  // Lets a step go on that waits for this.
  release(name) {
    writeFileSync(join(this.folder, 'fake', name), '');
  }

  // Resolves with what the pages are called and what the program said. `stop`: after how many milliseconds it gets SIGTERM.
  async run({ steps = 'run,test', stop, more = [], env = {} } = {}) {
    writeFileSync(join(this.folder, 'fake/script'), `${this.lines.join('\n')}\n`);
    const child = spawn(process.env.PROGRAM, [
      'run', '--steps', steps, '--destination', `file://${this.folder}/out`, ...more,
    ], {
      cwd: join(this.folder, 'project'),
      env: {
        PATH: process.env.PATH,
        HOME: this.folder,
        ENV: 'live',
        GIT_SHA: '3f9c2ab71d02e1',
        DBT_ENTRYPOINT_ENGINE: 'process',
        DBT_ENTRYPOINT_DBT: process.env.FAKE_DBT,
        DBT_ENTRYPOINT_CREDENTIALS: 'none',
        FAKE_DBT_DIR: join(this.folder, 'fake'),
        ...env,
      },
    });
    let out = '';
    let err = '';
    child.stdout.on('data', (data) => { out += data; });
    child.stderr.on('data', (data) => { err += data; });
    if (stop !== undefined) {
      while (!err.includes('step run')) await new Promise((done) => { setTimeout(done, 20); });
      setTimeout(() => child.kill('SIGTERM'), stop);
    }
    const code = await new Promise((done) => { child.on('close', done); });
    const closing = JSON.parse(out.trim().split('\n').at(-1));
    const folder = join(this.folder, 'out/runs');
    return {
      code,
      closing,
      err,
      page: join(folder, closing.run_id, 'index.html'),
      overview: join(folder, 'index.html'),
      folders: readdirSync(folder),
      remembered: JSON.parse(readFileSync(join(this.folder, 'out/state/history.json'), 'utf8')),
    };
  }
}

// A run that is over, as the history has it.
export function past(started, more = {}) {
  const id = `${started.replace(/[-:]/g, '')}-${(past.count += 1).toString(16).padStart(8, '0')}`;
  return {
    id, started, seconds: 80, status: 'success', code: 0, resumes: null,
    steps: [['run', 'success', 60], ['test', 'success', 20]],
    nodes: { success: 17, error: 0, warn: 0, skipped: 0 }, failed: [], slow: [], fresh: [], ...more,
  };
}
past.count = 0;
