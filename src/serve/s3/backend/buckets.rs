//! Buckets themselves: make, find, list, remove.

use std::collections::BTreeMap;

use bytes::Bytes;
use s3s::{S3ErrorCode, S3Response, S3Result, dto};

use super::Answer;
use super::{acl, config, owner, store_error, timestamp};
use crate::serve::s3::error::{fail, invalid_argument, with};
use crate::serve::s3::state::{Context, State};
use crate::serve::s3::store::{BucketInfo, NewBucket, StoreError};

/// The region whose name is not shown.
const FIRST_REGION: &str = "us-east-1";
/// The regions that a bucket can be made in, but for the first.
const REGIONS: &[&str] = &[
    "af-south-1",
    "ap-east-1",
    "ap-east-2",
    "ap-northeast-1",
    "ap-northeast-2",
    "ap-northeast-3",
    "ap-south-1",
    "ap-south-2",
    "ap-southeast-1",
    "ap-southeast-2",
    "ap-southeast-3",
    "ap-southeast-4",
    "ap-southeast-5",
    "ap-southeast-7",
    "ca-central-1",
    "ca-west-1",
    "cn-north-1",
    "cn-northwest-1",
    "eu-central-1",
    "eu-central-2",
    "eu-north-1",
    "eu-south-1",
    "eu-south-2",
    "eu-west-1",
    "eu-west-2",
    "eu-west-3",
    "il-central-1",
    "me-central-1",
    "me-south-1",
    "mx-central-1",
    "sa-east-1",
    "us-east-2",
    "us-gov-east-1",
    "us-gov-west-1",
    "us-west-1",
    "us-west-2",
];
/// The most buckets of one page.
const MAX_BUCKETS: i32 = 10_000;

pub(super) async fn create(
    state: &State,
    context: &Context,
    input: dto::CreateBucketInput,
) -> Answer<dto::CreateBucketOutput> {
    if is_reserved(&input.bucket) {
        return Err(S3ErrorCode::InvalidBucketName.into());
    }
    let constraint = input.create_bucket_configuration.and_then(|c| c.location_constraint);
    let region = match constraint.as_ref().map(dto::BucketLocationConstraint::as_str) {
        None | Some("") => state.region.clone(),
        Some("EU") => "eu-west-1".to_owned(),
        Some(region)
            if region != FIRST_REGION && (REGIONS.contains(&region) || region == state.region) =>
        {
            region.to_owned()
        }
        Some(other) => {
            let message = "The specified location-constraint is not valid";
            let error = fail(S3ErrorCode::InvalidLocationConstraint, message);
            return Err(with(error, "LocationConstraint", other));
        }
    };
    let ownership = input.object_ownership.as_ref().map(dto::ObjectOwnership::as_str);
    let ownership = ownership.unwrap_or("BucketOwnerEnforced").to_owned();
    if !matches!(
        ownership.as_str(),
        "BucketOwnerEnforced" | "BucketOwnerPreferred" | "ObjectWriter"
    ) {
        return Err(invalid_argument(
            "x-amz-object-ownership",
            &ownership,
            "Invalid x-amz-object-ownership header",
        ));
    }
    let canned = acl::canned_bucket(context.header("x-amz-acl"))?;
    let grants = acl::has_grants(context);
    if (canned != "private" || grants) && ownership == "BucketOwnerEnforced" {
        let message =
            "Bucket cannot have ACLs set with ObjectOwnership's BucketOwnerEnforced setting";
        return Err(fail(S3ErrorCode::InvalidBucketAclWithObjectOwnership, message));
    }
    if grants {
        return Err(acl::grants_missing());
    }
    let bucket = NewBucket {
        name: input.bucket.clone(),
        region,
        object_lock: input.object_lock_enabled_for_bucket.unwrap_or(false),
        owner_id: super::super::OWNER_ID.to_owned(),
        owner_name: super::super::OWNER_NAME.to_owned(),
        configs: documents(&ownership, &canned)?,
    };
    let region = bucket.region.clone();
    let output = dto::CreateBucketOutput { location: Some(format!("/{}", input.bucket)) };
    match state.store.create_bucket(bucket).await {
        Ok(_) => Ok(S3Response::new(output)),
        // Making one's own bucket once more is fine in the first region alone.
        Err(StoreError::BucketAlreadyExists(_)) if region == FIRST_REGION => {
            Ok(S3Response::new(output))
        }
        Err(error) => Err(store_error(error)),
    }
}

/// Names that S3 keeps for itself.
///
/// Source: "General purpose bucket naming rules" in the user guide.
fn is_reserved(name: &str) -> bool {
    ["xn--", "sthree-", "amzn-s3-demo-"].iter().any(|prefix| name.starts_with(prefix))
        || ["-s3alias", "--ol-s3", ".mrap", "--x-s3", "--table-s3"]
            .iter()
            .any(|suffix| name.ends_with(suffix))
}

/// The documents that buckets have from the start.
pub(crate) fn documents(ownership: &str, canned: &str) -> S3Result<BTreeMap<String, Bytes>> {
    let controls = dto::OwnershipControls {
        rules: vec![dto::OwnershipControlsRule { object_ownership: ownership.to_owned().into() }],
    };
    let mut documents = BTreeMap::from([
        (config::OWNERSHIP.to_owned(), config::to_xml(&controls)?),
        (config::PUBLIC_ACCESS.to_owned(), config::to_xml(&config::full_block())?),
    ]);
    if canned != "private" {
        documents.insert(config::ACL.to_owned(), canned.to_owned().into());
    }
    Ok(documents)
}

pub(super) async fn delete(
    state: &State,
    _: &Context,
    input: dto::DeleteBucketInput,
) -> Answer<dto::DeleteBucketOutput> {
    state.store.delete_bucket(&input.bucket).await.map_err(store_error)?;
    Ok(S3Response::new(dto::DeleteBucketOutput::default()))
}

pub(super) async fn head(
    state: &State,
    _: &Context,
    input: dto::HeadBucketInput,
) -> Answer<dto::HeadBucketOutput> {
    let bucket = state.store.bucket(&input.bucket).map_err(store_error)?;
    Ok(S3Response::new(dto::HeadBucketOutput {
        access_point_alias: Some(false),
        bucket_region: Some(bucket.region),
        ..dto::HeadBucketOutput::default()
    }))
}

pub(super) async fn location(
    state: &State,
    _: &Context,
    input: dto::GetBucketLocationInput,
) -> Answer<dto::GetBucketLocationOutput> {
    let bucket = state.store.bucket(&input.bucket).map_err(store_error)?;
    let constraint = (bucket.region != FIRST_REGION).then(|| bucket.region.into());
    Ok(S3Response::new(dto::GetBucketLocationOutput { location_constraint: constraint }))
}

pub(super) async fn list(
    state: &State,
    _: &Context,
    input: dto::ListBucketsInput,
) -> Answer<dto::ListBucketsOutput> {
    let max = input.max_buckets.unwrap_or(MAX_BUCKETS);
    if !(1..=MAX_BUCKETS).contains(&max) {
        return Err(invalid_argument(
            "max-buckets",
            &max.to_string(),
            "Argument max-buckets must be an integer between 1 and 10000",
        ));
    }
    let max = usize::try_from(max).unwrap_or(1);
    let prefix = input.prefix.clone().unwrap_or_default();
    let after = match &input.continuation_token {
        Some(token) => super::list::read_token(token)?,
        None => String::new(),
    };
    let wanted = input.bucket_region.as_deref();
    let mut found: Vec<BucketInfo> = state
        .store
        .buckets(&prefix, &after, usize::MAX)
        .into_iter()
        .filter(|bucket| wanted.is_none_or(|region| bucket.region == region))
        .take(max + 1)
        .collect();
    let more = found.len() > max;
    found.truncate(max);
    let token = found.last().filter(|_| more).map(|bucket| super::list::token(&bucket.name));
    let buckets = found
        .into_iter()
        .map(|bucket| dto::Bucket {
            bucket_region: Some(bucket.region),
            creation_date: Some(timestamp(bucket.created)),
            name: Some(bucket.name),
        })
        .collect();
    Ok(S3Response::new(dto::ListBucketsOutput {
        buckets: Some(buckets),
        continuation_token: token,
        owner: Some(owner()),
        prefix: input.prefix,
    }))
}
