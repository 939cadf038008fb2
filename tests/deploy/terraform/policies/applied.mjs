// The roles, buckets and queues of an applied state, with their policies as AWS gave them back.
import { readFileSync } from 'node:fs';

function* resources(module) {
  yield* module.resources ?? [];
  for (const child of module.child_modules ?? []) yield* resources(child);
}

export function applied(path) {
  const state = JSON.parse(readFileSync(path, 'utf8'));
  const roles = {};
  const buckets = {};
  const queues = {};
  const all = [...resources(state.values.root_module)].filter(({ mode }) => mode === 'managed');
  for (const { type, values } of all) {
    if (type === 'aws_iam_role') roles[values.name] = { arn: values.arn, trust: JSON.parse(values.assume_role_policy), policies: {} };
    if (type === 'aws_s3_bucket_policy') buckets[values.bucket] = JSON.parse(values.policy);
    if (type === 'aws_sqs_queue_policy') queues[values.queue_url.split('/').pop()] = JSON.parse(values.policy);
  }
  for (const { type, values } of all) {
    if (type === 'aws_iam_role_policy') roles[values.role].policies[values.name] = JSON.parse(values.policy);
  }
  return { roles, buckets, queues };
}
