// Who may do what, and who may not: every line is a request. The names are those of ../moto/main.tf.
import { ACCOUNT } from './judge.mjs';

const REGION = 'eu-west-1';
const arn = (service, rest, account = ACCOUNT) => `arn:aws:${service}:${REGION}:${account}:${rest}`;
const cluster = (name) => ({ 'ecs:cluster': arn('ecs', `cluster/${name}`) });
const via = (service) => ({ 'kms:ViaService': `${service}.${REGION}.amazonaws.com` });
const passedTo = (service) => ({ 'iam:PassedToService': `${service}.amazonaws.com` });
const role = (name) => `arn:aws:iam::${ACCOUNT}:role/${name}`;
const secret = (name) => arn('secretsmanager', `secret:${name}`);
const key = (name) => arn('kms', `key/${name}`);

// The same with a name that begins alike, `shop-2` for `shop`: what a policy without the right separator would open, too.
function neighbour(resource) {
  const inner = [
    /^(arn:aws:s3:::[^/]+\/[^/]+)(\/.*)$/, /^(.*:log-stream:[^/]+)(\/.*)$/, /^(.*:task\/[^/]+)(\/.*)$/,
    /^(.*:task-definition\/[^:]+)(:.*)$/, /^(.*:parameter\/[^/]+\/[^/]+)(\/.*)$/,
  ].find((pattern) => pattern.test(resource));
  return inner ? resource.replace(inner, '$1-2$2') : `${resource}-2`;
}

const table = (by, may, mayNot) => [
  ...may.map(([action, resource, context = {}]) => ({ ...by, allowed: true, action, resource, context })),
  ...mayNot.map(([action, resource, context = {}]) => ({ ...by, allowed: false, action, resource, context })),
  // Of these an account has one.
  ...may.filter(([, resource]) => resource !== '*' && !resource.endsWith(':catalog'))
    .map(([action, resource, context = {}]) => ({ ...by, allowed: false, action, resource: neighbour(resource), context })),
];

const serviceRole = table(
  { role: 'DBTServiceRole-shop-live' },
  [
    ['glue:GetConnection', arn('glue', 'connection/redshift-live')],
    ['glue:GetConnection', arn('glue', 'catalog')],
    ['secretsmanager:GetSecretValue', secret('redshift-live-AbCdEf')],
    ['kms:Decrypt', key('secrets'), via('secretsmanager')],
    ['kms:Decrypt', key('catalog')],
    ['s3:PutObject', 'arn:aws:s3:::dbt-documentation-live/shop/manifest.json'],
    ['s3:PutObject', 'arn:aws:s3:::dbt-documentation-live/shop/runs/20261122T061442Z-1a2b3c4d/summary.json'],
    // The lease, the run record and the history: a write that depends on what is there needs both.
    ...['state/lease.json', 'state/history.json', 'runs/20261122T061442Z-1a2b3c4d/run.json'].flatMap((key) => (
      ['s3:GetObject', 's3:PutObject'].map((action) => [action, `arn:aws:s3:::dbt-documentation-live/shop/${key}`]))),
    ['s3:GetObject', 'arn:aws:s3:::dbt-documentation-live/shop/manifest.json'],
    ['s3:ListBucket', 'arn:aws:s3:::dbt-documentation-live', { 's3:prefix': 'shop/' }],
    ['s3:ListBucket', 'arn:aws:s3:::dbt-documentation-live', { 's3:prefix': 'shop/runs/' }],
    // HeadBucket, which the runner sends before step one.
    ['s3:ListBucket', 'arn:aws:s3:::dbt-documentation-live'],
    ['kms:GenerateDataKey', key('docs'), via('s3')],
    ['kms:Decrypt', key('docs'), via('s3')],
  ],
  [
    ['glue:GetConnection', arn('glue', 'connection/redshift-dev')],
    ['glue:GetConnections', arn('glue', 'connection/redshift-live')],
    ['glue:UpdateConnection', arn('glue', 'connection/redshift-live')],
    ['secretsmanager:GetSecretValue', secret('redshift-dev-AbCdEf')],
    ['secretsmanager:GetSecretValue', secret('redshift-live-Zyxwvu')],
    ['secretsmanager:PutSecretValue', secret('redshift-live-AbCdEf')],
    ['ssm:GetParametersByPath', arn('ssm', 'parameter/shop/live/')],
    // A stolen ciphertext is of no use without the service that holds it.
    ['kms:Decrypt', key('secrets')],
    ['kms:Decrypt', key('secrets'), via('s3')],
    ['kms:Decrypt', key('others'), via('secretsmanager')],
    ['kms:Decrypt', key('others')],
    ['kms:Encrypt', key('secrets'), via('secretsmanager')],
    ['kms:Encrypt', key('catalog')],
    ['kms:Encrypt', key('docs'), via('s3')],
    ['kms:GenerateDataKey', key('docs')],
    ['kms:GenerateDataKey', key('others'), via('s3')],
    ['s3:PutObject', 'arn:aws:s3:::dbt-documentation-live/finance/manifest.json'],
    ['s3:GetObject', 'arn:aws:s3:::dbt-documentation-live/finance/state/lease.json'],
    ['s3:PutObject', 'arn:aws:s3:::dbt-documentation-live/shop-payroll/state/lease.json'],
    ['s3:DeleteObject', 'arn:aws:s3:::dbt-documentation-live/shop/state/lease.json'],
    ['s3:PutObject', 'arn:aws:s3:::dbt-documentation-live/shop-payroll/manifest.json'],
    ['s3:PutObject', 'arn:aws:s3:::dbt-documentation-live/index.html'],
    ['s3:GetObject', 'arn:aws:s3:::dbt-documentation-live/shop-payroll/manifest.json'],
    ['s3:PutObject', 'arn:aws:s3:::dbt-documentation-dev/shop/manifest.json'],
    ['s3:DeleteObject', 'arn:aws:s3:::dbt-documentation-live/shop/manifest.json'],
    ['s3:ListBucket', 'arn:aws:s3:::dbt-documentation-live', { 's3:prefix': 'shop-payroll/' }],
    ['s3:ListBucket', 'arn:aws:s3:::dbt-documentation-live', { 's3:prefix': '' }],
    ['s3:ListBucket', 'arn:aws:s3:::dbt-documentation-dev', { 's3:prefix': 'shop/' }],
    ['s3:ListBucket', 'arn:aws:s3:::dbt-documentation-dev'],
    ['s3:ListBucketVersions', 'arn:aws:s3:::dbt-documentation-live', { 's3:prefix': 'shop/' }],
    ['s3:ListBucketVersions', 'arn:aws:s3:::dbt-documentation-live'],
    // With a separate orchestrator the container can start nothing.
    ['ecs:RunTask', arn('ecs', 'task-definition/dbt-shop-live:1'), cluster('dbt-live')],
    ['iam:PassRole', role('DBTServiceRole-shop-live'), passedTo('ecs-tasks')],
    ['logs:GetLogEvents', arn('logs', 'log-group:/ecs/dbt-shop-live:log-stream:dbt/dbt/0')],
  ],
);

const secretByName = table(
  { role: 'DBTServiceRole-shop-payroll-live' },
  [
    ['secretsmanager:GetSecretValue', secret('prod/payroll-AbCdEf')],
    ['kms:Decrypt', key('secrets'), via('secretsmanager')],
    ['s3:PutObject', 'arn:aws:s3:::dbt-documentation-live/shop-payroll/manifest.json'],
    ['s3:GetObject', 'arn:aws:s3:::dbt-documentation-live/shop-payroll/manifest.json'],
    ['s3:ListBucket', 'arn:aws:s3:::dbt-documentation-live', { 's3:prefix': 'shop-payroll/' }],
    ['s3:ListBucket', 'arn:aws:s3:::dbt-documentation-live'],
    ['kms:GenerateDataKey', key('docs'), via('s3')],
    ['kms:Decrypt', key('docs'), via('s3')],
  ],
  [
    ['secretsmanager:GetSecretValue', secret('prod/payroll-archive-AbCdEf')],
    ['secretsmanager:GetSecretValue', secret('prod/redshift-AbCdEf')],
    ['secretsmanager:DescribeSecret', secret('prod/payroll-AbCdEf')],
    ['kms:Decrypt', key('secrets')],
    ['kms:Decrypt', key('others'), via('secretsmanager')],
    ['kms:Encrypt', key('secrets'), via('secretsmanager')],
    ['kms:Encrypt', key('docs'), via('s3')],
    ['kms:GenerateDataKey', key('docs')],
    ['kms:GenerateDataKey', key('others'), via('s3')],
    ['glue:GetConnection', arn('glue', 'catalog')],
    ['s3:PutObject', 'arn:aws:s3:::dbt-documentation-live/shop/manifest.json'],
    ['s3:DeleteObject', 'arn:aws:s3:::dbt-documentation-live/shop-payroll/manifest.json'],
    ['s3:ListBucket', 'arn:aws:s3:::dbt-documentation-live', { 's3:prefix': 'shop/' }],
    ['s3:ListBucket', 'arn:aws:s3:::dbt-documentation-dev', { 's3:prefix': 'shop-payroll/' }],
    ['s3:ListBucket', 'arn:aws:s3:::dbt-documentation-dev'],
    ['s3:ListBucketVersions', 'arn:aws:s3:::dbt-documentation-live', { 's3:prefix': 'shop-payroll/' }],
    ['s3:ListBucketVersions', 'arn:aws:s3:::dbt-documentation-live'],
  ],
);

const parameters = table(
  { role: 'DBTServiceRole-ops-live' },
  [
    // The runner asks for the path with a slash at its end.
    ['ssm:GetParametersByPath', arn('ssm', 'parameter/ops/live/')],
    ['ssm:GetParametersByPath', arn('ssm', 'parameter/ops/live/password')],
    ['kms:Decrypt', key('parameters'), via('ssm')],
  ],
  [
    ['ssm:GetParametersByPath', arn('ssm', 'parameter/ops/live2/')],
    ['ssm:GetParametersByPath', arn('ssm', 'parameter/ops/')],
    ['ssm:PutParameter', arn('ssm', 'parameter/ops/live/password')],
    ['kms:Decrypt', key('parameters')],
    ['kms:Decrypt', key('parameters'), via('secretsmanager')],
    ['kms:Decrypt', key('others'), via('ssm')],
    ['kms:Encrypt', key('parameters'), via('ssm')],
    ['s3:PutObject', 'arn:aws:s3:::dbt-documentation-live/ops/manifest.json'],
    ['s3:ListBucket', 'arn:aws:s3:::dbt-documentation-live'],
  ],
);

const warehouseUser = arn('redshift', 'dbuser:warehouse/dbt');

// In dev Airflow takes the service role, so that role has both halves.
const both = table(
  { role: 'DBTServiceRole-shop-dev' },
  [
    ['glue:GetConnection', arn('glue', 'connection/redshift-dev')],
    ['glue:GetConnection', arn('glue', 'catalog')],
    ['s3:PutObject', 'arn:aws:s3:::dbt-documentation-dev/shop/manifest.json'],
    ['s3:GetObject', 'arn:aws:s3:::dbt-documentation-dev/shop/manifest.json'],
    ['s3:ListBucket', 'arn:aws:s3:::dbt-documentation-dev', { 's3:prefix': 'shop/' }],
    ['s3:ListBucket', 'arn:aws:s3:::dbt-documentation-dev'],
    // What the caller has added.
    ['s3:PutObject', 'arn:aws:s3:::acme-unload/shop/orders/0000_part_00'],
    ['redshift:GetClusterCredentials', warehouseUser, { 'redshift:DbUser': 'dbt' }],
  ],
  [
    ['s3:GetObject', 'arn:aws:s3:::acme-unload/shop/orders/0000_part_00'],
    ['s3:PutObject', 'arn:aws:s3:::acme-unload/orders'],
    ['redshift:GetClusterCredentials', warehouseUser, { 'redshift:DbUser': 'admin' }],
    ['redshift:GetClusterCredentials', arn('redshift', 'dbuser:other/dbt'), { 'redshift:DbUser': 'dbt' }],
    ['redshift:CreateClusterUser', warehouseUser, { 'redshift:DbUser': 'dbt' }],
    ['glue:GetConnection', arn('glue', 'connection/redshift-live')],
    ['glue:UpdateConnection', arn('glue', 'connection/redshift-dev')],
    ['s3:PutObject', 'arn:aws:s3:::dbt-documentation-live/shop/manifest.json'],
    ['s3:DeleteObject', 'arn:aws:s3:::dbt-documentation-dev/shop/manifest.json'],
    ['s3:ListBucket', 'arn:aws:s3:::dbt-documentation-dev', { 's3:prefix': 'finance/' }],
    ['s3:ListBucket', 'arn:aws:s3:::dbt-documentation-live', { 's3:prefix': 'shop/' }],
    ['s3:ListBucket', 'arn:aws:s3:::dbt-documentation-live'],
    ['s3:ListBucketVersions', 'arn:aws:s3:::dbt-documentation-dev', { 's3:prefix': 'shop/' }],
    ['s3:ListBucketVersions', 'arn:aws:s3:::dbt-documentation-dev'],
    // This project has no secret and no key.
    ['secretsmanager:GetSecretValue', secret('redshift-dev-AbCdEf')],
    ['kms:Decrypt', key('secrets'), via('secretsmanager')],
  ],
);

// What an orchestrator may do, whichever role it has.
const ledger = (env, project) => `arn:aws:s3:::dbt-documentation-${env}/${project}/runs/20261122T061442Z-1a2b3c4d/03-run/nodes.ndjson`;
const orchestrate = (name, env, other) => table(
  { role: name },
  [
    // Any revision. (The simulator knows no task definition without one, so the family alone cannot be judged.)
    ['ecs:RunTask', arn('ecs', `task-definition/dbt-shop-${env}:1`), cluster(`dbt-${env}`)],
    ['ecs:RunTask', arn('ecs', `task-definition/dbt-shop-${env}:217`), cluster(`dbt-${env}`)],
    ['ecs:DescribeTasks', arn('ecs', `task/dbt-${env}/0123456789abcdef`), cluster(`dbt-${env}`)],
    ['ecs:StopTask', arn('ecs', `task/dbt-${env}/0123456789abcdef`), cluster(`dbt-${env}`)],
    ['ecs:ListTasks', '*', cluster(`dbt-${env}`)],
    ['ecs:TagResource', arn('ecs', `task/dbt-${env}/0123456789abcdef`), { 'ecs:CreateAction': 'RunTask' }],
    ['logs:GetLogEvents', arn('logs', `log-group:/ecs/dbt-shop-${env}:log-stream:dbt/dbt/0123456789abcdef`)],
    // The table of nodes in the task's log.
    ['s3:GetObject', ledger(env, 'shop')],
    ['iam:PassRole', role(`DBTServiceRole-shop-${env}`), passedTo('ecs-tasks')],
    ['iam:PassRole', role(`DBTExecutionRole-shop-${env}`), passedTo('ecs-tasks')],
  ],
  [
    ['ecs:RunTask', arn('ecs', `task-definition/dbt-shop-payroll-${env}:1`), cluster(`dbt-${env}`)],
    ['ecs:RunTask', arn('ecs', `task-definition/dbt-shop-${other}:1`), cluster(`dbt-${env}`)],
    ['ecs:RunTask', arn('ecs', `task-definition/dbt-shop-${env}:1`), cluster(`dbt-${other}`)],
    ['ecs:RunTask', arn('ecs', `task-definition/dbt-shop-${env}:1`)],
    ['ecs:StartTask', arn('ecs', `task-definition/dbt-shop-${env}:1`), cluster(`dbt-${env}`)],
    ['ecs:RegisterTaskDefinition', arn('ecs', `task-definition/dbt-shop-${env}:1`)],
    ['ecs:DeregisterTaskDefinition', '*'],
    ['ecs:DescribeTasks', arn('ecs', `task/dbt-${other}/0123456789abcdef`), cluster(`dbt-${other}`)],
    ['ecs:StopTask', arn('ecs', `task/dbt-${other}/0123456789abcdef`), cluster(`dbt-${other}`)],
    ['ecs:StopTask', arn('ecs', `task/dbt-${env}-2/0123456789abcdef`), cluster(`dbt-${env}-2`)],
    ['ecs:StopTask', arn('ecs', `task/dbt-${env}/0123456789abcdef`), cluster(`dbt-${other}`)],
    ['ecs:StopTask', arn('ecs', `task/dbt-${other}/0123456789abcdef`), cluster(`dbt-${env}`)],
    ['ecs:ExecuteCommand', arn('ecs', `task/dbt-${env}/0123456789abcdef`), cluster(`dbt-${env}`)],
    ['ecs:ListTasks', '*', cluster(`dbt-${other}`)],
    ['ecs:TagResource', arn('ecs', `task/dbt-${env}/0123456789abcdef`)],
    ['ecs:TagResource', arn('ecs', `task/dbt-${other}/0123456789abcdef`), { 'ecs:CreateAction': 'RunTask' }],
    ['ecs:UntagResource', arn('ecs', `task/dbt-${env}/0123456789abcdef`)],
    ['ecs:DescribeContainerInstances', '*', cluster(`dbt-${env}`)],
    ['logs:GetLogEvents', arn('logs', `log-group:/ecs/dbt-shop-payroll-${env}:log-stream:dbt/dbt/0`)],
    ['logs:GetLogEvents', arn('logs', `log-group:/ecs/dbt-shop-${other}:log-stream:dbt/dbt/0`)],
    ['logs:DeleteLogStream', arn('logs', `log-group:/ecs/dbt-shop-${env}:log-stream:dbt/dbt/0`)],
    ['s3:GetObject', ledger(env, 'shop-payroll')],
    ['s3:GetObject', ledger(other, 'shop')],
    ['s3:DeleteObject', ledger(env, 'shop')],
    ['iam:PassRole', role(`DBTServiceRole-shop-${env}`), passedTo('lambda')],
    ['iam:PassRole', role(`DBTServiceRole-shop-${env}`)],
    ['iam:PassRole', role(`DBTExecutionRole-shop-${env}`), passedTo('ec2')],
    ['iam:PassRole', role(`DBTServiceRole-shop-payroll-${env}`), passedTo('ecs-tasks')],
    ['iam:PassRole', role('Admin'), passedTo('ecs-tasks')],
    ['iam:UpdateAssumeRolePolicy', role(`DBTServiceRole-shop-${env}`)],
  ],
);

const separate = table(
  { role: 'DBTOrchestratorRole-shop-live' },
  [
    ['kms:Decrypt', key('docs'), via('s3')],
  ],
  [
    // Of the bucket only what runs have left, and to read.
    ...['state/lease.json', 'state/partial_parse.msgpack', 'manifest.json', 'runs.html'].map((name) => (
      ['s3:GetObject', `arn:aws:s3:::dbt-documentation-live/shop/${name}`])),
    ['s3:PutObject', ledger('live', 'shop')],
    ['s3:ListBucket', 'arn:aws:s3:::dbt-documentation-live', { 's3:prefix': 'shop/runs/' }],
    ['s3:ListBucket', 'arn:aws:s3:::dbt-documentation-live'],
    ['kms:Decrypt', key('docs')],
    ['kms:Decrypt', key('secrets'), via('s3')],
    ['kms:GenerateDataKey', key('docs'), via('s3')],
    ['glue:GetConnection', arn('glue', 'connection/redshift-live')],
    ['secretsmanager:GetSecretValue', secret('redshift-live-AbCdEf')],
    ['s3:PutObject', 'arn:aws:s3:::dbt-documentation-live/shop/manifest.json'],
  ],
);

const execution = (name, family, hasRepository) => table(
  { role: name },
  [
    ...(hasRepository ? [
      ['ecr:GetAuthorizationToken', '*'],
      ['ecr:BatchCheckLayerAvailability', arn('ecr', `repository/${family}`)],
      ['ecr:BatchGetImage', arn('ecr', `repository/${family}`)],
      ['ecr:GetDownloadUrlForLayer', arn('ecr', `repository/${family}`)],
    ] : []),
    ['logs:CreateLogStream', arn('logs', `log-group:/ecs/${family}:log-stream:dbt/dbt/0`)],
    ['logs:PutLogEvents', arn('logs', `log-group:/ecs/${family}:log-stream:dbt/dbt/0`)],
  ],
  [
    ...(hasRepository ? [['ecr:DescribeRegistry', '*']] : [['ecr:GetAuthorizationToken', '*']]),
    ['ecr:BatchGetImage', arn('ecr', 'repository/other')],
    ['ecr:PutImage', arn('ecr', `repository/${family}`)],
    ['logs:PutLogEvents', arn('logs', 'log-group:/ecs/other:log-stream:dbt/dbt/0')],
    ['logs:DeleteLogStream', arn('logs', `log-group:/ecs/${family}:log-stream:dbt/dbt/0`)],
    ['secretsmanager:GetSecretValue', secret('redshift-live-AbCdEf')],
    ['s3:PutObject', 'arn:aws:s3:::dbt-documentation-live/shop/manifest.json'],
  ],
);

const scheduler = table(
  { role: 'DBTSchedulerRole-shop-live' },
  [
    ['ecs:RunTask', arn('ecs', 'task-definition/dbt-shop-live:3'), cluster('dbt-live')],
    ['ecs:TagResource', arn('ecs', 'task/dbt-live/0123456789abcdef'), { 'ecs:CreateAction': 'RunTask' }],
    ['iam:PassRole', role('DBTServiceRole-shop-live'), passedTo('ecs-tasks')],
    ['iam:PassRole', role('DBTExecutionRole-shop-live'), passedTo('ecs-tasks')],
    ['sqs:SendMessage', arn('sqs', 'dbt-shop-live-not-started')],
  ],
  [
    ['ecs:RunTask', arn('ecs', 'task-definition/dbt-shop-payroll-live:1'), cluster('dbt-live')],
    ['ecs:RunTask', arn('ecs', 'task-definition/dbt-shop-live:1'), cluster('dbt-dev')],
    ['ecs:StartTask', arn('ecs', 'task-definition/dbt-shop-live:1'), cluster('dbt-live')],
    ['ecs:StopTask', arn('ecs', 'task/dbt-live/0123456789abcdef'), cluster('dbt-live')],
    ['ecs:TagResource', arn('ecs', 'task/dbt-live/0123456789abcdef')],
    ['ecs:TagResource', arn('ecs', 'task/dbt-dev/0123456789abcdef'), { 'ecs:CreateAction': 'RunTask' }],
    ['ecs:UntagResource', arn('ecs', 'task/dbt-live/0123456789abcdef')],
    ['iam:PassRole', role('DBTServiceRole-shop-live'), passedTo('lambda')],
    ['iam:PassRole', role('DBTServiceRole-shop-dev'), passedTo('ecs-tasks')],
    ['iam:DeleteRole', role('DBTServiceRole-shop-live')],
    ['sqs:SendMessage', arn('sqs', 'dbt-shop-dev-not-started')],
    ['sqs:ReceiveMessage', arn('sqs', 'dbt-shop-live-not-started')],
  ],
);

// ---- Who may take a role, and read a bucket --------------------------------------------------------------------------------------------

const fromEcs = { 'aws:SourceAccount': ACCOUNT, 'aws:SourceArn': arn('ecs', '*') };
const trust = (name, principal, allowed, context = {}) => (
  { trust: name, principal, allowed, action: 'sts:AssumeRole', resource: role(name), context }
);
const trustedByEcs = (name) => [
  trust(name, 'ecs-tasks.amazonaws.com', true, fromEcs),
  trust(name, 'ecs-tasks.amazonaws.com', true, { ...fromEcs, 'aws:SourceArn': arn('ecs', 'task/dbt-live/0123456789abcdef') }),
  // The confused deputy: ECS, on behalf of somebody else.
  trust(name, 'ecs-tasks.amazonaws.com', false, { 'aws:SourceAccount': '210987654321', 'aws:SourceArn': arn('ecs', '*', '210987654321') }),
  trust(name, 'ecs-tasks.amazonaws.com', false, { ...fromEcs, 'aws:SourceAccount': '210987654321' }),
  trust(name, 'ecs-tasks.amazonaws.com', false, { ...fromEcs, 'aws:SourceArn': arn('ecs', '*', '210987654321') }),
  trust(name, 'ecs-tasks.amazonaws.com', false),
  trust(name, 'ec2.amazonaws.com', false, fromEcs),
  { ...trust(name, 'ecs-tasks.amazonaws.com', false, fromEcs), action: 'sts:TagSession' },
  trust(name, role('somebody'), false),
];
const trusts = [
  ...['DBTServiceRole-shop-live', 'DBTServiceRole-shop-payroll-live', 'DBTServiceRole-ops-live', 'DBTServiceRole-shop-dev',
    'DBTExecutionRole-shop-live', 'DBTExecutionRole-shop-payroll-live', 'DBTExecutionRole-ops-live',
    'DBTExecutionRole-shop-dev'].flatMap(trustedByEcs),
  trust('DBTServiceRole-shop-dev', role('airflow'), true),
  // Whoever may tag the session could pretend to be another team where tags decide.
  { ...trust('DBTServiceRole-shop-dev', role('airflow'), false), action: 'sts:TagSession' },
  { ...trust('DBTOrchestratorRole-shop-live', role('airflow'), false), action: 'sts:TagSession' },
  trust('DBTServiceRole-shop-live', role('airflow'), false),
  trust('DBTServiceRole-shop-payroll-live', role('airflow'), false),
  trust('DBTExecutionRole-shop-dev', role('airflow'), false),
  trust('DBTOrchestratorRole-shop-live', role('airflow'), true),
  trust('DBTOrchestratorRole-shop-live', role('somebody'), false),
  trust('DBTOrchestratorRole-shop-live', 'ecs-tasks.amazonaws.com', false, fromEcs),
  ...[
    ['scheduler.amazonaws.com', true, ACCOUNT, 'schedule-group/dbt-shop-live'],
    ['scheduler.amazonaws.com', false, ACCOUNT, 'schedule-group/default'],
    ['scheduler.amazonaws.com', false, '210987654321', 'schedule-group/dbt-shop-live'],
    ['events.amazonaws.com', false, ACCOUNT, 'schedule-group/dbt-shop-live'],
  ].map(([principal, allowed, account, group]) => trust('DBTSchedulerRole-shop-live', principal, allowed, {
    'aws:SourceAccount': account, 'aws:SourceArn': arn('scheduler', group),
  })),
  {
    ...trust('DBTSchedulerRole-shop-live', 'scheduler.amazonaws.com', false, {
      'aws:SourceAccount': ACCOUNT, 'aws:SourceArn': arn('scheduler', 'schedule-group/dbt-shop-live'),
    }),
    action: 'sts:TagSession',
  },
  ...[
    ['events.amazonaws.com', true, ACCOUNT, 'dbt-shop-live__nightly__killed'],
    ['events.amazonaws.com', true, ACCOUNT, 'dbt-shop-live__hourly__held'],
    // Not one of the rules for restarts, and not one of another project.
    ['events.amazonaws.com', false, ACCOUNT, 'dbt-shop-live-failed'],
    ['events.amazonaws.com', false, ACCOUNT, 'dbt-shop-live-2__nightly__killed'],
    ['events.amazonaws.com', false, '210987654321', 'dbt-shop-live__nightly__killed'],
    ['scheduler.amazonaws.com', false, ACCOUNT, 'dbt-shop-live__nightly__killed'],
  ].map(([principal, allowed, account, rule]) => trust('DBTSchedulerRole-shop-live', principal, allowed, {
    'aws:SourceAccount': account, 'aws:SourceArn': arn('events', `rule/${rule}`),
  })),
  {
    ...trust('DBTSchedulerRole-shop-live', 'events.amazonaws.com', false, {
      'aws:SourceAccount': ACCOUNT, 'aws:SourceArn': arn('events', 'rule/dbt-shop-live__nightly__killed'),
    }),
    action: 'sts:TagSession',
  },
];

// The dead-letter queue, to which rules write by its policy.
const queue = (principal, allowed, action, rule) => ({
  queue: 'dbt-shop-live-not-started', principal, allowed, action, resource: arn('sqs', 'dbt-shop-live-not-started'),
  context: { 'aws:SourceArn': arn('events', `rule/${rule}`) },
});
const queues = [
  queue('events.amazonaws.com', true, 'sqs:SendMessage', 'dbt-shop-live__nightly__killed'),
  queue('events.amazonaws.com', false, 'sqs:SendMessage', 'dbt-shop-live-failed'),
  queue('events.amazonaws.com', false, 'sqs:SendMessage', 'dbt-shop-live-2__nightly__killed'),
  queue('events.amazonaws.com', false, 'sqs:ReceiveMessage', 'dbt-shop-live__nightly__killed'),
  queue('lambda.amazonaws.com', false, 'sqs:SendMessage', 'dbt-shop-live__nightly__killed'),
];

const object = 'arn:aws:s3:::dbt-documentation-live/shop/index.html';
const devObject = 'arn:aws:s3:::dbt-documentation-dev/shop/index.html';
const bucket = (name, principal, allowed, action, resource, context) => (
  { bucket: name, principal, allowed, action, resource, context }
);
const distribution = (id) => ({ 'aws:SourceArn': `arn:aws:cloudfront::${ACCOUNT}:distribution/${id}`, 'aws:SecureTransport': 'true' });
const tls = (is) => ({ 'aws:SecureTransport': `${is}` });
const buckets = [
  bucket('dbt-documentation-live', 'cloudfront.amazonaws.com', true, 's3:GetObject', object, distribution('EABSENT')),
  bucket('dbt-documentation-live', 'cloudfront.amazonaws.com', false, 's3:GetObject', object, distribution('EOTHER')),
  bucket('dbt-documentation-live', 'cloudfront.amazonaws.com', false, 's3:PutObject', object, distribution('EABSENT')),
  bucket('dbt-documentation-live', 'cloudfront.amazonaws.com', false, 's3:DeleteObject', object, distribution('EABSENT')),
  ...['shop/state/lease.json', 'state/partial_parse.msgpack', 'team/shop/state/x', 'shop/runs/1/summary.json', 'runs/1/x'].map((key) => (
    bucket('dbt-documentation-live', 'cloudfront.amazonaws.com', false, 's3:GetObject', `${object.split('/')[0]}/${key}`,
      distribution('EABSENT'))
  )),
  ...['states.json', 'shop/states.json', 'runs.html', 'shop/runs.html'].map((key) => (
    bucket('dbt-documentation-live', 'cloudfront.amazonaws.com', true, 's3:GetObject', `${object.split('/')[0]}/${key}`,
      distribution('EABSENT'))
  )),
  bucket('dbt-documentation-live', role('DBTServiceRole-shop-live'), true, 's3:GetObject', `${object.split('/')[0]}/shop/state/x`,
    tls(true)),
  bucket('dbt-documentation-live', role('DBTServiceRole-shop-live'), true, 's3:PutObject', `${object.split('/')[0]}/shop/state/x`,
    tls(true)),
  bucket('dbt-documentation-live', 'lambda.amazonaws.com', false, 's3:GetObject', object, distribution('EABSENT')),
  bucket('dbt-documentation-live', role('DBTServiceRole-shop-live'), true, 's3:PutObject', object, tls(true)),
  bucket('dbt-documentation-live', role('DBTServiceRole-shop-live'), false, 's3:PutObject', object, tls(false)),
  bucket('dbt-documentation-live', role('DBTServiceRole-shop-live'), false, 's3:ListBucket', object.split('/')[0], tls(false)),
  bucket('dbt-documentation-dev', role('DBTServiceRole-shop-dev'), true, 's3:PutObject', devObject, tls(true)),
  bucket('dbt-documentation-dev', role('DBTServiceRole-shop-dev'), false, 's3:PutObject', devObject, tls(false)),
  bucket('dbt-documentation-dev', role('DBTServiceRole-shop-dev'), false, 's3:ListBucket', devObject.split('/')[0], tls(false)),
  bucket('dbt-documentation-dev', 'cloudfront.amazonaws.com', false, 's3:GetObject', devObject, distribution('EABSENT')),
];

export const cases = [
  ...serviceRole, ...secretByName, ...parameters, ...both, ...separate,
  ...orchestrate('DBTOrchestratorRole-shop-live', 'live', 'dev'), ...orchestrate('DBTServiceRole-shop-dev', 'dev', 'live'),
  ...execution('DBTExecutionRole-shop-live', 'dbt-shop-live', true), ...execution('DBTExecutionRole-shop-dev', 'dbt-shop-dev', true),
  ...execution('DBTExecutionRole-shop-payroll-live', 'dbt-shop-payroll-live', true),
  ...execution('DBTExecutionRole-ops-live', 'dbt-ops-live', false),
  ...scheduler, ...trusts, ...queues, ...buckets,
];
