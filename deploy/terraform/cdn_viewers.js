// Runs in CloudFront before its cache and before the bucket: lets viewers in by name and password, and finds index.html.
//
// The key value store maps a viewer's name to the SHA-256 of "name:password" in hexadecimal, and " docs" after it for one who may not
// see runs. Plain SHA-256 holds only for passwords that nobody can guess, so they are generated and not chosen. Whatever goes wrong, the
// answer is 401.
import cf from 'cloudfront';
import crypto from 'crypto';

const viewers = cf.kvs();

// What the runner keeps beside the docs. Terraform sets whether viewers may read the records of runs.
const showsRuns = false;

// Whose docs are here. Terraform sets it.
const projects = [];

// Whether this is the runner's own: the saved parse and the state hold values of variables. S3 decodes the path, so it is decoded here.
function isInternal(uri, seesRuns) {
  let path;
  try {
    path = decodeURIComponent(uri);
  } catch (error) {
    return true;
  }
  const folders = path.split('/');
  return folders.includes('state') || (folders.includes('runs') && !seesRuns);
}

// What the viewer may see; nothing if nobody knows him.
async function rightsOf(header) {
  if (!header || !/^basic /i.test(header.value)) {
    return null;
  }
  const login = Buffer.from(header.value.slice(6).trim(), 'base64').toString('utf8');
  const colon = login.indexOf(':');
  // Neither half may be empty, and the store takes no longer keys.
  if (colon < 1 || colon === login.length - 1 || colon > 512) {
    return null;
  }
  try {
    const entry = (await viewers.get(login.slice(0, colon))).trim().toLowerCase().split(/\s+/);
    const isRight = crypto.createHash('sha256').update(login).digest('hex') === entry[0];
    return isRight ? { seesRuns: showsRuns && entry.length === 1 } : null;
  } catch (error) {
    // The store throws for a name that it does not hold.
    return null;
  }
}

function sentTo(place) {
  return { statusCode: 302, statusDescription: 'Found', headers: { location: { value: place } } };
}

function listed() {
  const items = projects.map((name) => '<li><a href="/' + name + '/">' + name + '</a></li>').join('');
  return {
    statusCode: 200,
    statusDescription: 'OK',
    headers: { 'content-type': { value: 'text/html; charset=utf-8' }, 'cache-control': { value: 'no-store' } },
    body: {
      encoding: 'text',
      data: '<!doctype html><html lang="en"><meta charset="utf-8"><meta name="viewport" content="width=device-width">'
        + '<title>dbt docs</title><h1>dbt docs</h1><ul>' + items + '</ul></html>',
    },
  };
}

async function handler(event) {
  const request = event.request;
  const rights = await rightsOf(request.headers.authorization);
  if (!rights) {
    return {
      statusCode: 401,
      statusDescription: 'Unauthorized',
      headers: {
        'www-authenticate': { value: 'Basic realm="dbt docs", charset="UTF-8"' },
        'cache-control': { value: 'no-store' },
      },
    };
  }
  if (isInternal(request.uri, rights.seesRuns)) {
    return { statusCode: 403, statusDescription: 'Forbidden', headers: { 'cache-control': { value: 'no-store' } } };
  }
  // The docs lie below the projects' names, and nothing lies above them.
  if (request.uri === '/' || request.uri === '/index.html') {
    return projects.length === 1 ? sentTo('/' + projects[0] + '/') : listed();
  }
  if (request.uri.endsWith('/')) {
    request.uri += 'index.html';
    return request;
  }
  if (!request.uri.slice(request.uri.lastIndexOf('/')).includes('.')) {
    // The page loads its data from beside itself, so it has to end in a slash. One slash at the front: two would name another host.
    return sentTo('/' + request.uri.replace(/^[\/\\]+/, '') + '/');
  }
  return request;
}
