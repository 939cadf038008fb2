//! Owns where the ARN of an access point of S3 ends and the prefix begins.
//!
//! Never asks whether there is such an access point.

/// Stands for a name among the words of a resource.
const NAME: &str = "";

/// The ARN in the bucket's place, and the prefix: an ARN may hold slashes, too. `None` for a bucket
/// that is called by its name. The shapes are those that the AWS CLI takes.
pub(super) fn split(text: &str) -> Option<Result<(&str, &str), String>> {
    text.starts_with("arn:").then(|| {
        let end = end_of_arn(text).ok_or_else(|| {
            format!(
                "{text:?} does not begin with the ARN of an access point, such as \
                 arn:aws:s3:REGION:ACCOUNT:accesspoint/NAME or \
                 arn:aws:s3-outposts:REGION:ACCOUNT:outpost/ID/accesspoint/NAME; a bucket is \
                 called by its name alone: s3://NAME"
            )
        })?;
        let (arn, rest) = text.split_at(end);
        // The SDK signs for all regions at once only with a library that is not built in.
        if arn.strip_suffix(".mrap").is_some() {
            return Err(format!(
                "{arn:?} is a multi-region access point, which this program cannot sign for; name \
                 an access point or a bucket of one region"
            ));
        }
        Ok((arn, rest.strip_prefix('/').unwrap_or(rest)))
    })
}

fn end_of_arn(text: &str) -> Option<usize> {
    let fields: Vec<&str> = text.splitn(6, ':').collect();
    let [_, partition, service, region, account, resource] = fields[..] else {
        return None;
    };
    let is_digit = |byte: u8| byte.is_ascii_digit();
    let is_region = |byte: u8| byte.is_ascii_lowercase() || is_digit(byte) || byte == b'-';
    if !partition.starts_with("aws")
        || !region.bytes().all(is_region)
        || account.len() != 12
        || !account.bytes().all(is_digit)
    {
        return None;
    }
    let words: &[&str] = match service {
        "s3" | "s3-object-lambda" => &["accesspoint", NAME],
        "s3-outposts" if !region.is_empty() => &["outpost", NAME, "accesspoint", NAME],
        _ => return None,
    };
    let may_have_dots = service != "s3-outposts";
    let is_name = |part: &str| {
        let fits = |byte: u8| {
            byte.is_ascii_alphanumeric() || byte == b'-' || (byte == b'.' && may_have_dots)
        };
        (1..=63).contains(&part.len()) && part.bytes().all(fits)
    };
    let mut rest = resource;
    for (index, &word) in words.iter().enumerate() {
        if index > 0 {
            rest = rest.strip_prefix(['/', ':'])?;
        }
        let part = rest.split(['/', ':']).next()?;
        let fits = if word == NAME {
            is_name(part)
        } else {
            part == word
        };
        if !fits {
            return None;
        }
        rest = &rest[part.len()..];
    }
    (rest.is_empty() || rest.starts_with('/')).then_some(text.len() - rest.len())
}

#[cfg(test)]
mod tests {
    use super::split;

    /// Each with where it ends; botocore takes the same ones for a bucket.
    const ARNS: [&str; 9] = [
        "arn:aws:s3:eu-west-1:123456789012:accesspoint/docs",
        "arn:aws:s3:eu-west-1:123456789012:accesspoint:docs",
        "arn:aws-cn:s3:cn-north-1:123456789012:accesspoint/docs",
        "arn:aws-us-gov:s3:us-gov-west-1:123456789012:accesspoint/a.b-c",
        "arn:aws:s3-object-lambda:eu-west-1:123456789012:accesspoint/docs",
        "arn:aws:s3-outposts:eu-west-1:123456789012:outpost/op-01ac5d28a6a232904/accesspoint/docs",
        "arn:aws:s3-outposts:eu-west-1:123456789012:outpost:op-01ac:accesspoint:docs",
        "arn:aws:s3-outposts:eu-west-1:123456789012:outpost/op-01ac:accesspoint/docs",
        "arn:aws:s3:eu-west-1:123456789012:accesspoint/UPPER",
    ];

    #[test]
    fn an_arn_of_an_access_point_ends_where_the_prefix_begins() {
        for arn in ARNS {
            for (rest, prefix) in [("", ""), ("/", ""), ("/shop", "shop"), ("/a/b:c", "a/b:c")] {
                let text = format!("{arn}{rest}");
                assert_eq!(split(&text), Some(Ok((arn, prefix))));
            }
        }
    }

    #[test]
    fn any_other_arn_is_refused() {
        let long = format!(
            "arn:aws:s3:eu-west-1:123456789012:accesspoint/{}",
            "a".repeat(64)
        );
        for text in [
            "arn:aws:s3:::bucket/shop",
            "arn:aws:s3:eu-west-1:123456789012:bucket/docs",
            "arn:aws:s3:eu-west-1:123456789012:accesspoint/",
            "arn:aws:s3:eu-west-1:123456789012:accesspoint/a_b",
            "arn:aws:s3:eu-west-1:123456789012:accesspoint/docs:shop",
            "arn:aws:s3:eu-west-1:12345678901:accesspoint/docs",
            "arn:aws:s3:EU:123456789012:accesspoint/docs",
            "arn:azure:s3:eu-west-1:123456789012:accesspoint/docs",
            "arn:aws:sqs:eu-west-1:123456789012:accesspoint/docs",
            "arn:aws:s3-outposts::123456789012:outpost/op-1/accesspoint/docs",
            "arn:aws:s3-outposts:eu-west-1:123456789012:outpost/op-1/bucket/docs",
            "arn:aws:s3-outposts:eu-west-1:123456789012:outpost/op-1/accesspoint/a.b",
            "arn:aws:s3-outposts:eu-west-1:123456789012:accesspoint/docs",
            "arn:aws:s3:eu-west-1",
            "arn:",
            &long,
        ] {
            let told = split(text).unwrap().unwrap_err();
            assert!(told.contains("does not begin with the ARN"), "{told}");
        }
        let multi_region = "arn:aws:s3::123456789012:accesspoint/mfzwi23gnjvgw.mrap/shop";
        let told = split(multi_region).unwrap().unwrap_err();
        assert!(told.contains("multi-region"), "{told}");
    }
}
