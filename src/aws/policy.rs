//! Owns which policy stands in the way of a call that AWS denies, by the words of AWS itself.
//!
//! Never guesses: a message that names no policy is one of the role's own permissions.

/// The kinds of policies as AWS writes them, and how people look for them.
const POLICIES: [(&str, &str); 7] = [
    ("identity-based policy", "a policy of the role or user"),
    (
        "service control policy",
        "a service control policy of the organization",
    ),
    (
        "resource control policy",
        "a resource control policy of the organization",
    ),
    (
        "permissions boundary",
        "the permissions boundary of the role or user",
    ),
    ("session policy", "the session policy of the assumed role"),
    ("VPC endpoint policy", "the policy of the VPC endpoint"),
    (RESOURCE, ""),
];

const RESOURCE: &str = "resource-based policy";

/// What to do: `allow` is `allow ACTION on RESOURCE`, which helps unless a policy elsewhere stands
/// in the way. Any other hint stays as it is.
pub(crate) fn remedy(message: &str, allow: &str) -> String {
    let named = POLICIES.iter().find(|(kind, _)| message.contains(kind));
    let (Some((kind, name)), Some(what)) = (named, allow.strip_prefix("allow ")) else {
        return allow.to_owned();
    };
    let name = if *kind == RESOURCE {
        of_resource(message)
    } else {
        name
    };
    if message.contains("explicit deny") {
        format!("remove the explicit deny of {what} in {name}; no allow elsewhere overrides it")
    } else if kind.starts_with("identity") {
        allow.to_owned()
    } else {
        format!("{allow}, in {name} too")
    }
}

/// Each service has a name of its own for the policy on a resource.
fn of_resource(message: &str) -> &'static str {
    let action = message
        .split_once("to perform: ")
        .map_or("", |(_, rest)| rest);
    match action.split(':').next().unwrap_or_default() {
        "s3" => {
            "the bucket policy (it may demand encryption: --sse; an ACL or another header is not \
                sent)"
        }
        "kms" => "the key policy",
        "secretsmanager" => "the resource policy of the secret",
        "glue" => "the resource policy of the Data Catalog",
        "sts" => "the trust policy of the role",
        _ => "the policy of the resource",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_policy_is_the_one_that_aws_names() {
        let who =
            "User: arn:aws:sts::123456789012:assumed-role/dbt/1 is not authorized to perform:";
        let allow = "allow s3:PutObject on arn:aws:s3:::pages/*";
        for (action, why, expected) in [
            ("s3:PutObject", "", allow),
            (
                "s3:PutObject",
                "because no identity-based policy allows the s3:PutObject action",
                allow,
            ),
            (
                "s3:PutObject",
                "with an explicit deny in a resource-based policy",
                "in the bucket policy",
            ),
            (
                "kms:GenerateDataKey",
                "with an explicit deny in a resource-based policy",
                "in the key policy",
            ),
            (
                "s3:PutObject",
                "with an explicit deny in an identity-based policy",
                "in a policy of the role",
            ),
            (
                "s3:PutObject",
                "with an explicit deny in a service control policy",
                "in a service control policy",
            ),
            (
                "s3:PutObject",
                "because no VPC endpoint policy allows the s3:PutObject action",
                "allow s3:PutObject on arn:aws:s3:::pages/*, in the policy of the VPC endpoint too",
            ),
            (
                "s3:PutObject",
                "because no permissions boundary allows the s3:PutObject action",
                "in the permissions boundary",
            ),
            (
                "s3:PutObject",
                "because no session policy allows the s3:PutObject action",
                "in the session policy",
            ),
            (
                "s3:PutObject",
                "because no resource-based policy allows the s3:PutObject action",
                "in the bucket policy",
            ),
        ] {
            let message = format!("{who} {action} on resource: \"arn:aws:s3:::pages/x\" {why}");
            let hint = remedy(&message, allow);
            assert!(hint.contains(expected), "{message}: {hint}");
            assert_eq!(
                hint.contains("remove the explicit deny of s3:"),
                why.contains("explicit")
            );
        }
    }
}
