// The function that guards the docs site, run by Node.js: node test.mjs cdn_viewers.js
//
// CloudFront's own runtime is not to be had; its module `cloudfront` is a stand-in here, with a store that throws for unknown keys as the
// real one does. The function is held to what that runtime knows by a look at its text.
import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';

const code = readFileSync(process.argv[2], 'utf8');
const digest = (login) => createHash('sha256').update(login).digest('hex');
const store = { ann: digest('ann:correct horse:battery'), 'bärbel': ` ${digest('bärbel:pässword').toUpperCase()}\n`, empty: '',
  'dan': `${digest('dan:only docs')} docs` };

globalThis.cloudfront = {
  kvs: () => ({
    get: async (key) => {
      if (!Object.hasOwn(store, key)) throw new Error('KeyNotFound');
      return store[key];
    },
  }),
};
const load = async (text) => {
  const runnable = `${text.replace(/^import cf from 'cloudfront';$/m, 'const cf = globalThis.cloudfront;')}\nexport { handler };`;
  return (await import(`data:text/javascript;base64,${Buffer.from(runnable).toString('base64')}`)).handler;
};
const handler = await load(code);

const basic = (login) => `Basic ${Buffer.from(login).toString('base64')}`;
const ask = (uri, authorization, by = handler) => by({
  request: { method: 'GET', uri, headers: authorization === undefined ? {} : { authorization: { value: authorization } } },
});
const known = basic('ann:correct horse:battery');
const isRefused = async (authorization) => {
  const answer = await ask('/shop/', authorization);
  assert.equal(answer.statusCode, 401);
  assert.match(answer.headers['www-authenticate'].value, /^Basic /);
  assert.equal(answer.headers['cache-control'].value, 'no-store');
};

const tests = {
  'nobody is refused': () => isRefused(undefined),
  'a wrong password is refused': () => isRefused(basic('ann:wrong')),
  'a name that is not in the store is refused': () => isRefused(basic('bob:correct horse:battery')),
  'a password without a name is refused': () => isRefused(basic(':correct horse:battery')),
  'a name without a password is refused': () => isRefused(basic('ann:')),
  'a name without a colon is refused': () => isRefused(basic('ann')),
  'a name longer than the store takes is refused': () => isRefused(basic(`${'a'.repeat(600)}:b`)),
  'a name with nothing in the store is refused': () => isRefused(basic('empty:x')),
  'the hash in the place of the password is refused': () => isRefused(basic(`ann:${store.ann}`)),
  'another scheme is refused': () => isRefused(`Bearer ${known.slice(6)}`),
  'anything but base64 is refused': () => isRefused('Basic %%%'),
  'the scheme alone is refused': () => isRefused('Basic '),
  'a property of every object is not a viewer': () => isRefused(basic('constructor:x')),
  'a known viewer sees a file': async () => assert.equal((await ask('/shop/manifest.json', known)).uri, '/shop/manifest.json'),
  'a password with a colon, a name beyond ASCII, a hash in capitals': async () => (
    assert.equal((await ask('/a.json', basic('bärbel:pässword'))).uri, '/a.json')
  ),
  'the scheme may be written small': async () => assert.equal((await ask('/a.json', known.replace('Basic', 'basic'))).uri, '/a.json'),
  'a folder shows its index': async () => assert.equal((await ask('/shop/', known)).uri, '/shop/index.html'),
  // The docs lie below the project's name: /index.html is not there, and S3 answers 403 for it.
  'the root of one project leads to its docs': async () => {
    const one = await load(code.replace('const projects = [];', 'const projects = ["shop"];'));
    for (const uri of ['/', '/index.html']) {
      const answer = await ask(uri, known, one);
      assert.equal(answer.statusCode, 302);
      assert.equal(answer.headers.location.value, '/shop/');
      assert.equal((await ask(uri, undefined, one)).statusCode, 401);
    }
  },
  'the root of several projects lists them': async () => {
    const two = await load(code.replace('const projects = [];', 'const projects = ["finance", "shop"];'));
    const answer = await ask('/', known, two);
    assert.equal(answer.statusCode, 200);
    assert.match(answer.headers['content-type'].value, /^text\/html/);
    assert.deepEqual([...answer.body.data.matchAll(/<a href="([^"]*)">/g)].map(([, place]) => place), ['/finance/', '/shop/']);
    assert.equal((await ask('/', undefined, two)).statusCode, 401);
  },
  'a folder without its slash is sent there': async () => {
    const answer = await ask('/shop', known);
    assert.equal(answer.statusCode, 302);
    assert.equal(answer.headers.location.value, '/shop/');
  },
  'nobody is sent to another host': async () => {
    for (const uri of ['//evil', '/\\evil', '///evil']) {
      assert.equal((await ask(uri, known)).headers.location.value, '/evil/');
    }
  },
  'nobody sees what the runner keeps for itself': async () => {
    const kept = ['/shop/state/lease.json', '/state/x', '/shop/state', '/shop/state/', '/team/shop/state/a/b', '/shop/st%61te/x',
      '/shop/%73tate%2Fx', '//shop//state//x', '/shop/runs/1/summary.json', '/shop/runs', '/shop/r%75ns/x', '/%', '/shop/%zz.json'];
    for (const uri of kept) {
      const answer = await ask(uri, known);
      assert.equal(answer.statusCode, 403, uri);
      assert.equal(answer.headers['cache-control'].value, 'no-store');
      assert.equal((await ask(uri, undefined)).statusCode, 401);
    }
  },
  'names that only resemble them are files': async () => {
    for (const uri of ['/shop/states.json', '/shop/runs.html', '/shop/a.state/x.json', '/shop/St%C3%A4te.json']) {
      assert.equal((await ask(uri, known)).uri, uri);
    }
  },
  'records of runs are shown where that is chosen': async () => {
    const chosen = await load(code.replace('const showsRuns = false;', 'const showsRuns = true;'));
    assert.equal((await ask('/shop/runs/1/index.html', known, chosen)).uri, '/shop/runs/1/index.html');
    assert.equal((await ask('/shop/state/x', known, chosen)).statusCode, 403);
  },
  'one who may see the docs alone sees no runs': async () => {
    const chosen = await load(code.replace('const showsRuns = false;', 'const showsRuns = true;'));
    const dan = basic('dan:only docs');
    assert.equal((await ask('/shop/index.html', dan, chosen)).uri, '/shop/index.html');
    for (const uri of ['/shop/runs/1/index.html', '/shop/runs/', '/shop/r%75ns/index.html', '/shop/state/x']) {
      assert.equal((await ask(uri, dan, chosen)).statusCode, 403, uri);
    }
    assert.equal((await ask('/shop/index.html', basic('dan:wrong'), chosen)).statusCode, 401);
  },
  'nobody learns which folders there are': async () => assert.equal((await ask('/shop', undefined)).statusCode, 401),
  'it is small enough for CloudFront': () => assert.ok(Buffer.byteLength(code) < 10_000),
  'it keeps to what the runtime knows': () => {
    const bare = code.replace(/^\s*\/\/.*$/gm, '');
    assert.deepEqual([...bare.matchAll(/^import .* from '(.*)';$/gm)].map(([, name]) => name), ['cloudfront', 'crypto']);
    // Neither optional chaining, classes, generators, spread nor a network is there.
    assert.doesNotMatch(bare, /\?\.|\?\?|\bclass\b|\bfunction\*|\.\.\.|\brequire\(|\bfetch\(|\bprocess\b|\bexport\b/);
  },
};

let failed = 0;
for (const [name, test] of Object.entries(tests)) {
  try {
    await test();
    console.log(`ok - ${name}`);
  } catch (error) {
    failed += 1;
    console.log(`not ok - ${name}\n    ${error.message}`);
  }
}
process.exitCode = failed > 0 ? 1 : 0;
