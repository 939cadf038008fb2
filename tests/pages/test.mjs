// The pages of runs in Chromium, by what a reader, a keyboard, a screen reader and a browser's log see.
import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { createServer } from 'node:http';
import { existsSync, mkdirSync, readFileSync, statSync } from 'node:fs';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import puppeteer from 'puppeteer-core';
import { Scene, node, past } from './scenes.mjs';

const axe = readFileSync(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8');
const executablePath = ['/usr/bin/chromium', '/usr/bin/chromium-browser', '/usr/bin/google-chrome'].find(existsSync);
assert.ok(executablePath, 'needs Chromium in /usr/bin');
const browser = await puppeteer.launch({
  executablePath, args: ['--no-sandbox', '--disable-gpu', '--disable-dev-shm-usage'],
});

// Opens a page, and notes all that it asks for, breaks or says.
async function open(address, { width = 1280, scheme = 'light', script = true, zone = 'Europe/Berlin', media } = {}) {
  const page = await browser.newPage();
  const requests = [];
  const troubles = [];
  page.on('request', (request) => requests.push(request.url()));
  page.on('pageerror', (error) => troubles.push(String(error)));
  page.on('console', (message) => troubles.push(message.text()));
  page.on('dialog', (dialog) => { troubles.push('a dialog'); dialog.dismiss(); });
  await page.setViewport({ width, height: 900 });
  await page.setJavaScriptEnabled(script);
  await page.emulateTimezone(zone);
  await page.emulateMediaFeatures([{ name: 'prefers-color-scheme', value: scheme }]);
  if (media) await page.emulateMediaType(media);
  const url = address.startsWith('http') ? address : pathToFileURL(address).href;
  await page.goto(url, { waitUntil: 'load' });
  return { page, url, requests, troubles };
}

const texts = (page, selector) => page.$$eval(selector, (found) => found.map((each) => each.innerText.replace(/\s+/g, ' ').trim()));
const text = async (page, selector) => (await texts(page, selector))[0];

async function assertAccessible(page, what) {
  await page.evaluate(() => document.querySelectorAll('details').forEach((each) => { each.open = true; }));
  await page.evaluate(axe);
  const found = await page.evaluate(() => window.axe.run(document, { resultTypes: ['violations'] }));
  const told = found.violations.map((each) => `${each.id}: ${each.nodes.slice(0, 3).map((at) => `${at.html.slice(0, 120)} ${at.failureSummary}`).join(' | ')}`);
  assert.deepEqual(told, [], what);
}

// Nothing of a table lies beyond its card, and no word of a state is broken. In this zone a moment has two times.
async function assertFits(page, what) {
  const cut = await page.$$eval('.table', (found) => found.filter((each) => each.scrollWidth > each.clientWidth)
    .map((each) => `${each.querySelector('table').id || each.querySelector('table').className}: ${each.scrollWidth} > ${each.clientWidth}`));
  assert.deepEqual(cut, [], `${what}: tables are cut off`);
  const broken = await page.$$eval('#nodes tbody td:nth-child(4)', (found) => found.filter((each) => {
    const range = document.createRange();
    range.selectNodeContents(each);
    return range.getBoundingClientRect().height > 30;
  }).map((each) => each.innerText));
  assert.deepEqual(broken, [], `${what}: words are broken`);
}

async function picture(page, name) {
  if (!process.env.PICTURES) return;
  mkdirSync(process.env.PICTURES, { recursive: true });
  await page.screenshot({ path: join(process.env.PICTURES, `${name}.png`), fullPage: true });
}

// ---- scenes --------------------------------------------------------------------------------------

const SCRIPT = '</script><script>document.title="pwned"</script><img src=x onerror=alert(1)>';
const LONG_NAME = `model.shop.${'very_long_name_'.repeat(17)}`;
const lane = (number) => ({ thread_id: `Thread-${number} (worker)` });

// `count` models on four threads in one second, the tenth of which depends on the one before, and as many tests as wanted.
function many(models, tests, failing = () => null) {
  const graph = {};
  const built = [];
  for (let at = 0; at < models; at += 1) {
    const id = `model.shop.fct_${at}`;
    graph[id] = at > 0 && at % 10 === 0 ? [`model.shop.fct_${at - 1}`] : [];
    const start = Math.floor(at / 4) / Math.ceil(models / 4);
    built.push(node(id, 'success', start, start + 0.9 / Math.ceil(models / 4), lane(1 + (at % 4))));
  }
  const tested = [];
  for (let at = 0; at < tests; at += 1) {
    const start = Math.floor(at / 4) / Math.ceil(tests / 4);
    const message = failing(at);
    tested.push(node(
      `test.shop.not_null_fct_${at}_id.${at.toString(16).padStart(10, '0')}`, message ? 'fail' : 'pass',
      start, start + 0.9 / Math.ceil(tests / 4), { ...lane(1 + (at % 4)), message },
    ));
  }
  return { graph, built, tested };
}

const scenes = {
  failed: () => {
    const { graph, built, tested } = many(3, 2, (at) => (at === 0 ? 'Got 3 results, configured to fail if != 0' : null));
    tested.push(node('test.shop.accepted_values_fct_1_state.00000000aa', 'warn', 0.4, 0.5, { message: 'Got 1 result' }));
    return new Scene().history([
      past('2026-11-19T06:14:42Z', { slow: [['model.shop.fct_0', 0.1]] }),
      past('2026-11-20T06:14:42Z', { slow: [['model.shop.fct_0', 0.1]], status: 'failed', code: 1, failed: ['test.shop.not_null_fct_0_id.0000000000'] }),
      past('2026-11-21T06:14:42Z', { slow: [['model.shop.fct_0', 0.1]], steps: [['docs', 'success', 5]], fresh: [['source.shop.raw.orders', 'warn', 46800]] }),
    ]).nodes('run', built, { graph }).nodes('test', tested, { code: 1 }).run({ steps: 'run,test,docs' });
  },
  well: () => {
    const { graph, built, tested } = many(12, 8);
    const sources = [{ unique_id: 'source.shop.raw.orders', status: 'pass', max_loaded_at_time_ago_in_s: 2280,
      criteria: { warn_after: { count: 12, period: 'hour' } } }];
    return new Scene().nodes('run', built, { graph }).nodes('test', tested)
      .on('source', 'write', `sources.json ${JSON.stringify({ results: sources })}`)
      .on('docs', 'write', 'index.html <!doctype html>').on('docs', 'write', 'catalog.json {}').run({ steps: 'run,test,freshness,docs' });
  },
  'no nodes': () => new Scene().run({ steps: 'deps' }),
  'all failed': () => {
    const nodes = Array.from({ length: 60 }, (_, at) => node(`model.shop.m${at}`, 'error', 0.1, 0.2, { message: 'relation "raw.orders" does not exist' }));
    return new Scene().nodes('run', nodes, { code: 1 }).run();
  },
  'waited for': async () => {
    const shop = new Scene().on('run', 'results', 'model.shop.orders=success').on('run', 'wait-for', 'go');
    const other = shop.run({ more: ['--lease', 'on'] });
    await shop.until('state/lease.json');
    const refused = await shop.run({ more: ['--lease', 'on'] });
    shop.release('go');
    const held = await other;
    return { ...refused, remembered: held.remembered };
  },
  cancelled: () => new Scene()
    .on('run', 'results', 'model.shop.orders=success model.shop.customers=skipped')
    .on('run', 'until-sigint', '1').run({ stop: 300 }),
  hostile: () => new Scene().nodes('run', [
    node(LONG_NAME, 'success', 0.1, 0.9),
    node(`model.shop.${SCRIPT}`, 'error', 0.1, 0.3, { message: `${SCRIPT}\n\u001b[31mred\u001b[0m \u0000 \u202eturned` }),
    node('model.shop.شراء_العملاء_🛒', 'error', 0.3, 0.5, { message: 'خطأ: الجدول غير موجود 🛒' }),
    node('model.shop.huge', 'error', 0.5, 0.6, { message: `begin ${'x'.repeat(1 << 20)} end` }),
  ], { code: 1 }).run({ more: ['--vars', '{"region": "Sentinel-of-a-variable"}'] }),
  '3,000 tests': () => {
    const { tested } = many(0, 3000, (at) => (at % 100 === 0 ? 'Got 1 result, configured to fail if != 0' : null));
    return new Scene().nodes('test', tested, { code: 1 }).run({ steps: 'test' });
  },
  '1,000 nodes': () => {
    const { graph, built, tested } = many(400, 600);
    const runs = Array.from({ length: 200 }, (_, at) => past(
      new Date(Date.UTC(2026, 3, 1) + at * 86_400_000).toISOString().replace('.000', ''),
      { slow: built.slice(0, 20).map(({ unique_id: id }, place) => [id, 1 + place]) },
    ));
    return new Scene().history(runs).nodes('run', built, { graph }).nodes('test', tested).run();
  },
};
const made = new Map();
const scene = (name) => {
  if (!made.has(name)) made.set(name, scenes[name]());
  return made.get(name);
};

// ---- cases ---------------------------------------------------------------------------------------

const tests = {
  'a failed run: what happened, what failed, what to do, and then how it went': async () => {
    const run = await scene('failed');
    const { page, url, requests, troubles } = await open(run.page);
    assert.equal(await text(page, 'h1'), 'The test “not_null_fct_0_id” failed; the models were built, the docs still show an earlier run.');
    assert.equal(await text(page, 'header .pill'), '✕ Failed in test');
    const titles = await page.$$eval('h2', (found) => found.map((each) => each.firstChild.textContent.trim()));
    assert.deepEqual(titles, [
      'What failed', 'What now', 'Warnings', 'Steps', 'Time line', 'Slowest nodes', 'Tests', 'Sources', 'All nodes', 'Settings of the run',
    ]);
    assert.equal(await text(page, '.fail pre'), 'Got 3 results, configured to fail if != 0');
    assert.match(await text(page, '.fail p'), /test in test · failed also on 20 Nov$/);
    assert.equal(await text(page, '.next pre'), `dbt-entrypoint run --resume ${run.closing.run_id}`);
    assert.deepEqual(await texts(page, '.steps b'), ['✓ run', '✕ test', '– docs']);
    assert.deepEqual(await texts(page, '.tally li'), ['✕ 1 failed', '! 1 warned', '✓ 1 passed']);
    const slow = await page.$$eval('#slow ~ .card tbody tr', (rows) => rows.map((row) => [...row.cells].map((cell) => cell.innerText.trim())));
    const fct = slow.find(([name]) => name.startsWith('fct_0'));
    assert.equal(fct[2], '0.10 s');
    assert.match(fct[3], /^\+\d+ %$/);
    assert.match(await text(page, '#sources'), /as of the run of Sat, 21 Nov 2026, 07:14 \(06:14 UTC\)/);
    const links = await page.$$eval('a', (found) => found.map((each) => each.getAttribute('href')));
    for (const href of ['../index.html', '01-run/run_results.json', '02-test/run_results.json', 'summary.json',
      '../../index.html#!/test/test.shop.not_null_fct_0_id.0000000000', '../../index.html#!/model/model.shop.fct_0']) {
      assert.ok(links.includes(href), `${href} is not among ${links.join(' ')}`);
    }
    for (const href of links.filter((each) => !each.includes('..') && !each.startsWith('http'))) {
      assert.ok(existsSync(join(run.page, '..', href)), `${href} leads nowhere`);
    }
    assert.deepEqual([requests, troubles], [[url], []]);
  },
  'a run that went well: no failure, no advice, the docs': async () => {
    const { page } = await open((await scene('well')).page);
    assert.equal(await text(page, 'h1'), 'All 12 models were built, eight tests passed and the docs are up to date.');
    assert.equal(await text(page, 'header .pill'), '✓ Success');
    assert.equal(await page.$('#failed'), null);
    assert.equal(await page.$('#next'), null);
    assert.equal(await text(page, '#sources + .card tbody tr td:last-child'), '38 min old warns after 12 h');
    const path = await texts(page, '.path li bdi');
    assert.ok(path.length >= 2 && path.length <= 8, `${path}`);
    const all = await page.$eval('details.more:has(#nodes) summary', (each) => each.innerText);
    assert.match(all, /^21 nodes/);
  },
  'runs of every kind are told in words': async () => {
    for (const [name, expected] of [
      ['no nodes', 'The run succeeded.'],
      ['all failed', '60 models could not be built.'],
      ['cancelled', 'The run was stopped in the step run; one model was built.'],
      ['waited for', 'The run did not start, since another run holds the lease.'],
    ]) {
      const { page } = await open((await scene(name)).page);
      assert.equal(await text(page, 'h1'), expected, name);
    }
    const { page } = await open((await scene('all failed')).page);
    assert.equal(await text(page, '.more summary'), 'and 57 more');
    assert.equal((await page.$$('article.fail')).length, 40);
    assert.equal((await page.$$eval('article.fail', (found) => found.filter((each) => each.checkVisibility()).length)), 3);
    const { page: phone } = await open((await scene('all failed')).page, { width: 360 });
    const next = await phone.$eval('#next', (each) => each.getBoundingClientRect().top);
    assert.ok(next < 2 * 740, `what to do begins at ${next} px`);
  },
  'what dbt says is text, whatever it is': async () => {
    const run = await scene('hostile');
    const { page, url, requests, troubles } = await open(run.page);
    assert.match(await page.title(), /^shop · live: Failed in run$/);
    assert.deepEqual([requests, troubles], [[url], []]);
    assert.equal(await page.$$eval('img, script, iframe, object, link', (found) => found.length), 1);
    const names = await texts(page, '.fail h3');
    assert.ok(names.includes(SCRIPT), names.join('\n'));
    assert.ok(names.includes('شراء_العملاء_🛒'));
    const messages = await texts(page, '.fail > pre');
    assert.ok(messages.some((each) => each.startsWith(SCRIPT) && each.includes('red') && !/[\u001b\u0000\u202e]/.test(each)));
    assert.ok(messages.includes('خطأ: الجدول غير موجود 🛒'));
    const whole = await page.$$eval('.fail details pre', (found) => found.map((each) => each.textContent));
    assert.ok(whole.some((each) => each.length === (1 << 20) + 10 && each.endsWith(' end')), 'the long message is not whole');
    const html = readFileSync(run.page, 'utf8');
    assert.ok(!html.includes('Sentinel-of-a-variable'));
    assert.ok(html.includes('dbt run --vars …'));
    for (const width of [360, 768, 1280]) {
      const { page: narrow } = await open(run.page, { width });
      const wide = await narrow.evaluate(() => document.documentElement.scrollWidth);
      assert.equal(wide, width, `a name is wider than ${width} px`);
      await narrow.close();
    }
  },
  'many nodes fit: into 400 KB, and onto the page': async () => {
    for (const [name, nodes] of [['1,000 nodes', 1000], ['3,000 tests', 3000]]) {
      const run = await scene(name);
      const size = statSync(run.page).size;
      assert.ok(size <= 400_000, `${name}: ${size} bytes`);
      const { page } = await open(run.page);
      assert.match(await text(page, 'details.more:has(#nodes) summary'), new RegExp(`^${nodes} nodes`));
      const drawn = await page.$$eval('.timeline rect title', (found) => found.map((each) => each.textContent));
      assert.ok(drawn.length > 50, `${drawn.length} bars`);
      const counted = drawn.map((each) => Number(each.match(/^(\d+) nodes/)?.[1] ?? (/^(step|.* gets ready|before|between|after)/.test(each) ? 0 : 1)));
      assert.equal(counted.reduce((sum, each) => sum + each, 0), nodes, 'each node is in one bar');
      console.log(`    ${name}: ${size} bytes`);
    }
    assert.equal((await scene('1,000 nodes')).remembered.runs.length, 200);
    const overview = statSync((await scene('1,000 nodes')).overview).size;
    assert.ok(overview <= 400_000, `${overview} bytes`);
  },
  'under a strict policy of the server, and of the page itself': async () => {
    const policy = readFileSync(process.env.CDN, 'utf8');
    const run = await scene('failed');
    const html = readFileSync(run.page, 'utf8');
    const own = html.match(/Content-Security-Policy" content="([^"]*)"/)[1].replaceAll('&#x27;', "'").replaceAll('&#x2f;', '/');
    for (const tag of ['style', 'script']) {
      const inner = html.match(new RegExp(`<${tag}>(.*?)</${tag}>`, 's'))[1];
      const digest = `sha256-${createHash('sha256').update(inner).digest('base64')}`;
      assert.ok(own.includes(`${tag}-src '${digest}'`), `the page does not know the hash of its ${tag}`);
      assert.ok(policy.includes(`"${digest}"`), `cdn.tf does not let the ${tag} through: ${digest}`);
    }
    const server = createServer((_, answer) => {
      answer.setHeader('content-type', 'text/html; charset=utf-8');
      answer.setHeader('content-security-policy', `${own}; frame-ancestors 'none'`);
      answer.end(html);
    });
    await new Promise((done) => { server.listen(0, '127.0.0.1', done); });
    const { page, url, requests, troubles } = await open(`http://127.0.0.1:${server.address().port}/runs/x/index.html`);
    // A browser looks for an icon by itself.
    assert.deepEqual([requests.filter((each) => !each.endsWith('/favicon.ico')), troubles], [[url], []]);
    assert.equal(await page.$eval('.card', (each) => getComputedStyle(each).borderTopLeftRadius), '12px');
    assert.match(await text(page, 'time'), /\(\d\d:\d\d UTC\)$/);
    server.close();
  },
  'without JavaScript all is there, in UTC': async () => {
    const run = await scene('failed');
    const { page } = await open(run.page, { script: false });
    assert.match(await text(page, 'time'), /^\w{3} \d+ \w{3} \d{4}, \d\d:\d\d UTC$/);
    assert.equal(await page.$eval('p:has(#filter)', (each) => each.hidden), true);
    const rows = await page.$$eval('#nodes tbody tr', (found) => found.length);
    assert.equal(rows, 6);
    const { page: overview } = await open(run.overview, { script: false });
    await overview.click('#show-bad');
    const shown = await overview.$$eval('.runs tbody tr', (found) => found.filter((each) => each.offsetHeight > 0).length);
    assert.equal(shown, 2);
  },
  'the keyboard alone reaches everything': async () => {
    for (const [file, filtered] of [[(await scene('failed')).page, true], [(await scene('failed')).overview, false]]) {
      const { page } = await open(file, { width: 360 });
      const expected = await page.$$eval('a[href], summary, input:not([type=radio]), input[type=radio]:checked', (found) => (
        found.filter((each) => each.checkVisibility()).length));
      const reached = new Set();
      for (let press = 0; press < 300; press += 1) {
        await page.keyboard.press('Tab');
        const at = await page.evaluate(() => {
          const each = document.activeElement;
          if (each === document.body) return null;
          const place = [...document.querySelectorAll('*')].indexOf(each);
          return { place, ring: getComputedStyle(each).outlineStyle, kind: each.matches('a[href], summary, input') };
        });
        if (at === null || reached.has(at.place)) break;
        assert.notEqual(at.ring, 'none', 'the focus cannot be seen');
        if (at.kind) reached.add(at.place);
      }
      assert.equal(reached.size, expected);
      if (filtered) {
        await page.focus('details.more:has(#nodes) summary');
        await page.keyboard.press('Enter');
        await page.keyboard.press('Tab');
        await page.keyboard.type('fail');
        assert.equal(await text(page, '#filtered'), '1 of 6');
        const shown = await page.$$eval('#nodes tbody tr', (found) => found.filter((each) => each.offsetHeight > 0).map((each) => each.cells[0].innerText));
        assert.deepEqual(shown, ['not_null_fct_0_id']);
      } else {
        await page.focus('#show-all');
        await page.keyboard.press('ArrowRight');
        const shown = await page.$$eval('.runs tbody tr', (found) => found.filter((each) => each.offsetHeight > 0).length);
        assert.ok(shown > 0 && shown < 4, `${shown} runs are shown`);
      }
    }
  },
  'contrast, names and order, as an accessibility engine judges them': async () => {
    const all = [[360, 'dark'], [768, 'light'], [1280, 'dark'], [1280, 'light']];
    const some = [[360, 'light'], [1280, 'dark']];
    for (const [name, looks] of [
      ['failed', all], ['well', some], ['hostile', some], ['all failed', some], ['cancelled', some], ['1,000 nodes', some],
    ]) {
      const run = await scene(name);
      // Most of these have one run, whose page of all runs looks like any other.
      for (const file of name === 'failed' || name === '1,000 nodes' ? [run.page, run.overview] : [run.page]) {
        for (const [width, scheme] of looks) {
          const { page } = await open(file, { width, scheme });
          assert.equal(await page.evaluate(() => document.documentElement.scrollWidth), width, `${name} is wider than ${width}`);
          await picture(page, `${name}-${file === run.page ? 'run' : 'all'}-${width}-${scheme}`.replace(/[ ,]/g, ''));
          await assertAccessible(page, `${name} ${width} ${scheme} ${file}`);
          await assertFits(page, `${name} ${width}`);
          await page.close();
        }
      }
    }
  },
  'in print all is open and dark on light': async () => {
    const { page } = await open((await scene('failed')).page, { media: 'print', scheme: 'dark' });
    const row = await page.$eval('#nodes tbody tr', (each) => each.getBoundingClientRect().height);
    assert.ok(row > 0, 'the list of nodes is not printed');
    assert.equal(await page.$eval('body', (each) => getComputedStyle(each).backgroundColor), 'rgb(255, 255, 255)');
  },
  'all runs: order, filter, days, times around a change of clock': async () => {
    const runs = [
      past('2026-10-22T06:00:00Z', { seconds: 360_000, status: 'failed', code: 1, steps: [['a_step_with_a_name_of_forty_letters_or_s', 'failed', 9]], failed: [LONG_NAME] }),
      past('2026-10-24T23:30:00Z', { seconds: 3600, status: 'failed', code: 1, failed: ['model.shop.a', 'model.shop.b'], steps: [['run', 'failed', 60]] }),
      // It began before its predecessor had ended; at this hour, clocks in Berlin are set back.
      past('2026-10-25T00:15:00Z'),
      past('2026-10-25T01:15:00Z', { status: 'cancelled', code: 143, steps: [['run', 'killed', 9]] }),
      past('2026-10-27T23:59:59Z', { nodes: { success: 1, error: 0, warn: 1, skipped: 0 } }),
      past('2026-10-28T00:00:01Z', { status: 'cancelled', code: 143, steps: [['test', 'cancelled', 9]] }),
    ];
    runs[2].resumes = runs[1].id;
    const run = await new Scene().history(runs).run({ steps: 'deps' });
    const { page, url, requests, troubles } = await open(run.overview);
    assert.equal(await text(page, 'h1'), 'The last run succeeded.');
    assert.deepEqual((await texts(page, '.runs tbody td:nth-child(1)')).slice(1), [
      'Wed, 28 Oct 2026, 01:00 (00:00 UTC)', 'Wed, 28 Oct 2026, 00:59 (23:59 UTC)',
      'Sun, 25 Oct 2026, 02:15 (01:15 UTC)', 'Sun, 25 Oct 2026, 02:15 (00:15 UTC)', 'Sun, 25 Oct 2026, 01:30 (23:30 UTC)',
      'Thu, 22 Oct 2026, 08:00 (06:00 UTC)',
    ]);
    assert.deepEqual((await texts(page, '.runs tbody td:nth-child(2)')).slice(1), [
      '■ cancelled in test', '! warnings', '✕ killed in run', '✓ success resumed', '✕ failed in run',
      '✕ failed in a_step_with_a_name_o…',
    ]);
    assert.equal((await texts(page, '.runs tbody td:nth-child(5)')).at(-2), 'a and 1 more');
    assert.deepEqual(await texts(page, '.filter label'), ['all 7', '2 succeeded', '1 with warnings', '3 failed', '1 cancelled']);
    const days = await page.$$eval('.days li', (found) => found.map((each) => each.title));
    assert.ok(days.includes('Mon 26 Oct 2026: no run'));
    assert.ok(days.includes('Sun 25 Oct 2026: 2 runs, the worst: killed in run'), days.join('; '));
    const cells = await page.$$eval('.days li a', (found) => found.map((each) => [each.innerText.replace(/\s+/g, ' '), each.getAttribute('href')]));
    assert.deepEqual(cells.slice(1, 3), [['24 ✕', `${runs[1].id}/index.html`], ['25 ✕', `${runs[3].id}/index.html`]]);
    assert.match(await text(page, '#days small'), /^22 Oct to \d+ \w+, in UTC/);
    const places = await page.$$eval('.plot g', (found) => found.map((each) => each.getBoundingClientRect()).map(({ left, right }) => (left + right) / 2));
    assert.ok(places[4] - places[3] > 20 * (places[2] - places[1]), `two days without a run do not show: ${places}`);
    assert.equal(await page.$('.crumb a'), null, 'nothing has left docs');
    const links = await page.$$eval('.runs tbody td:first-child a', (found) => found.map((each) => each.getAttribute('href')));
    assert.deepEqual(links, [run.closing.run_id, ...runs.map(({ id }) => id).reverse()].map((id) => `${id}/index.html`));
    assert.deepEqual([requests, troubles], [[url], []]);
    for (const width of [360, 390, 768]) {
      const { page: narrow } = await open(run.overview, { width });
      await assertFits(narrow, `all runs ${width}`);
      const beyond = await narrow.$$eval('.runs time, .runs .pill, .runs .num', (found) => found.filter((each) => (
        each.getBoundingClientRect().right > each.closest('.card').getBoundingClientRect().right)).map((each) => each.innerText));
      assert.deepEqual(beyond, [], `${width}: lies outside the card`);
      await narrow.close();
    }
  },
};

let failed = 0;
const wanted = process.argv.slice(2);
for (const [name, test] of Object.entries(tests)) {
  if (wanted.length > 0 && !wanted.some((word) => name.includes(word))) continue;
  try {
    await test();
    console.log(`ok - ${name}`);
  } catch (error) {
    failed += 1;
    console.log(`not ok - ${name}\n    ${error.stack}`);
  }
  for (const page of (await browser.pages()).slice(1)) await page.close();
}
await browser.close();
process.exit(failed > 0 ? 1 : 0);
