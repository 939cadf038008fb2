// Judges all cases by the policies of an applied state: node check.mjs STATE.json
//
// Then the policies are widened and cut, statement by statement, and every such change has to make a case fail: so no statement is there
// that no case needs, and none is wider than some case allows.
import { applied } from './applied.mjs';
import { cases } from './cases.mjs';
import { byIdentity, byResource } from './judge.mjs';
import { mutants } from './mutants.mjs';

const { roles, buckets, queues } = applied(process.argv[2]);

function judge(given, policies) {
  const { roles, buckets, queues } = policies;
  const has = (what, name) => what[name] ?? (() => { throw new Error(`the state holds no ${name}`); })();
  if (given.role) return byIdentity(has(roles, given.role), given.action, given.resource, given.context);
  const policy = given.trust ? has(roles, given.trust).trust : given.queue ? has(queues, given.queue) : has(buckets, given.bucket);
  return byResource(policy, given.principal, given.action, given.resource, given.context);
}

function name(given) {
  const who = given.role ?? `${given.principal} at ${given.trust ?? given.queue ?? given.bucket}`;
  const context = Object.entries(given.context).map(([key, value]) => ` ${key}=${value}`).join('');
  return `${who} ${given.allowed ? 'may' : 'may not'} ${given.action} ${given.resource}${context}`;
}

let failed = 0;
const report = (isFine, text) => {
  if (!isFine) failed += 1;
  console.log(`${isFine ? 'ok' : 'not ok'} - ${text}`);
};

for (const given of cases) {
  try {
    report((await judge(given, { roles, buckets, queues })) === given.allowed, name(given));
  } catch (error) {
    report(false, `${name(given)}: ${error.message}`);
  }
}

// A policy that no case looks at could allow anything.
for (const role of Object.keys(roles)) {
  const needsNone = Object.keys(roles[role].policies).length === 0;
  report(needsNone || cases.some((given) => given.role === role && given.allowed), `${role} has cases`);
  report(cases.some((given) => given.trust === role && given.allowed), `the trust of ${role} has cases`);
}
for (const bucket of Object.keys(buckets)) report(cases.some((given) => given.bucket === bucket), `${bucket} has cases`);
for (const queue of Object.keys(queues)) report(cases.some((given) => given.queue === queue), `${queue} has cases`);

// ECS asks for the right to the family where RunTask names no revision, and the simulator knows no such ARN: this much is read.
for (const [role, { policies }] of Object.entries(roles)) {
  for (const { Action: action, Resource: resource } of Object.values(policies).flatMap((policy) => policy.Statement)) {
    if (![action].flat().includes('ecs:RunTask')) continue;
    const [family, revisions] = [resource].flat().sort();
    report([resource].flat().length === 2 && /:task-definition\/[a-z-]+$/.test(family) && revisions === `${family}:*`,
      `${role} may run a family and its revisions`);
  }
}

if (failed === 0) {
  for (const { label, subject, policies, equivalent } of mutants({ roles, buckets, queues })) {
    let killer;
    for (const given of cases.filter((each) => [each.role, each.trust, each.bucket, each.queue].includes(subject))) {
      if ((await judge(given, policies)) !== given.allowed) {
        killer = given;
        break;
      }
    }
    if (equivalent) report(!killer, `${label} changes nothing: ${equivalent}`);
    else report(killer, `${label} is noticed${killer ? '' : ' by no case'}`);
  }
}
process.exitCode = failed > 0 ? 1 : 0;
