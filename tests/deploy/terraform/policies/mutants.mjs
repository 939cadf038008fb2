// Every statement of every policy, wider or narrower by one thing.

// Changes that no request could notice, with the reason.
const EQUIVALENT = [
  [/^bucket (?!.* NotOnTheDocsSite: ).* (any resource$|in the place of)/, 'a bucket\'s policy can only speak of that bucket'],
  [/^queue .* (any resource$|in the place of)/, 'a queue\'s policy can only speak of that queue'],
  [/^bucket .* NotOnTheDocsSite: any action of its service$/, 'CloudFront may do nothing but read objects'],
  [/^bucket .* TlsOnly: any action/, 'it denies every action already'],
  [/ReadTheConnection: .*catalog\* in the place/, 'an account has one catalog'],
  [/HandTheRolesToEcs: any action/, 'iam:PassedToService is there for iam:PassRole only'],
  [/TagTheTask: any action/, 'ecs:CreateAction is there for ecs:TagResource only'],
  [/FindTasksOfTheCluster: any resource/, 'it is every resource already'],
  [/LogInToEcr: any resource/, 'it is every resource already'],
  [/^DBTServiceRole-.* ReadTheLedger: (gone|.*runs\* in the place)/, 'that role reads all of its project in order to publish'],
  [/StartThisTask: without arn:[^ ]*task-definition\/[a-z-]+$/, 'the simulator knows no task definition without a revision'],
];

const clone = (value) => structuredClone(value);
const list = (value) => (Array.isArray(value) ? value : [value]);

function* changes(statement) {
  yield ['gone', null];
  const actions = list(statement.Action);
  if (actions.length > 1) {
    for (const action of actions) yield [`without ${action}`, { ...clone(statement), Action: actions.filter((each) => each !== action) }];
  }
  yield ['any action of its service', { ...clone(statement), Action: [...new Set(actions.map((action) => `${action.split(':')[0]}:*`))] }];
  if (statement.Resource) {
    const resources = list(statement.Resource);
    if (resources.length > 1) {
      for (const resource of resources) {
        yield [`without ${resource}`, { ...clone(statement), Resource: resources.filter((each) => each !== resource) }];
      }
    }
    yield ['any resource', { ...clone(statement), Resource: '*' }];
    for (const resource of resources.filter((each) => each !== '*')) {
      // What a missing separator would do: `shop` opens `shop-payroll`.
      const wider = `${resource.replace(/[/:]?\*$|\?+$/, '')}*`;
      if (wider !== resource) {
        const others = resources.filter((each) => each !== resource);
        yield [`${wider} in the place of ${resource}`, { ...clone(statement), Resource: [...others, wider] }];
      }
    }
  }
  for (const [test, keys] of Object.entries(statement.Condition ?? {})) {
    for (const key of Object.keys(keys)) {
      const wider = clone(statement);
      delete wider.Condition[test][key];
      if (Object.keys(wider.Condition[test]).length === 0) delete wider.Condition[test];
      yield [`without ${test} ${key}`, wider];
    }
  }
  if (statement.Principal && statement.Principal !== '*') yield ['any principal', { ...clone(statement), Principal: '*' }];
}

function* mutated(policy, what) {
  const statements = list(policy.Statement);
  for (const [index, statement] of statements.entries()) {
    for (const [change, result] of changes(statement)) {
      const label = `${what} ${statement.Sid}: ${change}`;
      const equivalent = EQUIVALENT.find(([pattern]) => pattern.test(label))?.[1];
      const changed = [...statements.slice(0, index), ...(result ? [result] : []), ...statements.slice(index + 1)];
      yield [label, { ...policy, Statement: changed }, equivalent];
    }
  }
}

export function* mutants({ roles, buckets, queues }) {
  for (const [name, role] of Object.entries(roles)) {
    for (const [policyName, policy] of Object.entries(role.policies)) {
      for (const [label, changed, equivalent] of mutated(policy, `${name} ${policyName}`)) {
        const policies = { roles: { ...roles, [name]: { ...role, policies: { ...role.policies, [policyName]: changed } } }, buckets, queues };
        yield { label, subject: name, policies, equivalent };
      }
    }
    for (const [label, changed, equivalent] of mutated(role.trust, `trust of ${name}`)) {
      yield { label, subject: name, policies: { roles: { ...roles, [name]: { ...role, trust: changed } }, buckets, queues }, equivalent };
    }
  }
  for (const [name, policy] of Object.entries(buckets)) {
    for (const [label, changed, equivalent] of mutated(policy, `bucket ${name}`)) {
      yield { label, subject: name, policies: { roles, buckets: { ...buckets, [name]: changed }, queues }, equivalent };
    }
  }
  for (const [name, policy] of Object.entries(queues)) {
    for (const [label, changed, equivalent] of mutated(policy, `queue ${name}`)) {
      yield { label, subject: name, policies: { roles, buckets, queues: { ...queues, [name]: changed } }, equivalent };
    }
  }
}
