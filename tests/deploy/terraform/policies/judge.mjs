// One request, judged by one set of policies.
import { runSimulation } from '@cloud-copilot/iam-simulate';

export const ACCOUNT = '123456789012';

// A key leaves it to IAM who may use it, as keys do by default, so that the role's policy alone decides.
const KEY_POLICY = {
  Version: '2012-10-17',
  Statement: [{ Effect: 'Allow', Principal: { AWS: `arn:aws:iam::${ACCOUNT}:root` }, Action: 'kms:*', Resource: '*' }],
};

async function simulate(simulation, settings = {}) {
  const outcome = await runSimulation({ serviceControlPolicies: [], resourceControlPolicies: [], ...simulation }, settings);
  if (outcome.resultType === 'error') throw new Error(JSON.stringify(outcome.errors));
  const results = outcome.results ?? [outcome.result];
  // A key that this action does not have would let a case pass for the wrong reason.
  const ignored = results.flatMap((result) => result.ignoredContextKeys ?? []);
  if (ignored.length > 0) throw new Error(`${simulation.request.action} knows no ${ignored.join(', ')}`);
  return outcome.overallResult === 'Allowed';
}

// What a role may do by its own policies.
export function byIdentity(role, action, resource, contextVariables) {
  return simulate({
    request: { principal: role.arn, action, resource: { resource, accountId: ACCOUNT }, contextVariables },
    identityPolicies: Object.entries(role.policies).map(([name, policy]) => ({ name, policy })),
    ...(action.startsWith('kms:') && { resourcePolicy: KEY_POLICY }),
  });
}

// What a resource (a role by its trust, a bucket or queue by its policy) lets a principal do whose own policies allow everything.
export function byResource(resourcePolicy, principal, action, resource, contextVariables) {
  const everything = { Version: '2012-10-17', Statement: [{ Effect: 'Allow', Action: '*', Resource: '*' }] };
  const isService = principal.endsWith('.amazonaws.com');
  return simulate({
    request: { principal, action, resource: { resource, accountId: ACCOUNT }, contextVariables },
    identityPolicies: isService ? [] : [{ name: 'everything', policy: everything }],
    resourcePolicy,
  });
}
