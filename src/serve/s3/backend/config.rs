//! The configuration documents of buckets: their names in the store, how they
//! are written, and the operations on them that only store and return.

use bytes::Bytes;
use s3s::dto::{
    self, BucketLifecycleConfiguration, CORSConfiguration, OwnershipControls,
    PublicAccessBlockConfiguration, ServerSideEncryptionConfiguration, Tagging,
};
use s3s::xml::{Deserialize, Deserializer, Serialize, Serializer};
use s3s::{S3Error, S3ErrorCode, S3Response};

use super::Answer;
use super::{store_error, tags};
use crate::serve::s3::error::{custom, fail, invalid_argument};
use crate::serve::s3::policy::{MAX_POLICY, Policy};
use crate::serve::s3::state::{Context, State};
use crate::serve::s3::store::{Store, Versioning};
use crate::serve::s3::{cors as rules, lifecycle};

pub(crate) const ACL: &str = "acl";
pub(crate) const CORS: &str = "cors";
pub(crate) const ENCRYPTION: &str = "encryption";
pub(crate) const LIFECYCLE: &str = "lifecycle";
const LIFECYCLE_SIZE: &str = "lifecycle-minimum-size";
pub(crate) const NOTIFICATION: &str = "notification";
pub(crate) const OBJECT_LOCK: &str = "object-lock";
pub(crate) const OWNERSHIP: &str = "ownership";
pub(crate) const POLICY: &str = "policy";
pub(crate) const PUBLIC_ACCESS: &str = "public-access-block";
pub(crate) const TAGGING: &str = "tagging";

/// A document as XML.
pub(crate) fn to_xml<T: Serialize>(value: &T) -> Result<Bytes, S3Error> {
    let mut text = Vec::new();
    value.serialize(&mut Serializer::new(&mut text)).map_err(S3Error::internal_error)?;
    Ok(text.into())
}

/// A document out of XML.
pub(crate) fn from_xml<T: for<'xml> Deserialize<'xml>>(text: &[u8]) -> Option<T> {
    T::deserialize(&mut Deserializer::new(text)).ok()
}

/// A bucket's document; none when there is none.
pub(crate) fn load<T: for<'xml> Deserialize<'xml>>(
    store: &Store,
    bucket: &str,
    name: &str,
) -> Result<Option<T>, S3Error> {
    let document = store.config(bucket, name).map_err(store_error)?;
    Ok(document.and_then(|text| from_xml(&text)))
}

async fn save<T: Serialize>(
    state: &State,
    bucket: &str,
    name: &str,
    value: &T,
) -> Result<(), S3Error> {
    let text = to_xml(value)?;
    state.store.put_config(bucket, name, text).await.map_err(store_error)
}

async fn remove(state: &State, bucket: &str, name: &str) -> Result<(), S3Error> {
    state.store.delete_config(bucket, name).await.map_err(store_error)?;
    Ok(())
}

/// A document that is plain text.
pub(crate) fn text(store: &Store, bucket: &str, name: &str) -> Option<String> {
    let document = store.config(bucket, name).ok()??;
    String::from_utf8(document.to_vec()).ok()
}

/// The CORS rules of a bucket.
pub(crate) fn cors(store: &Store, bucket: &str) -> Option<CORSConfiguration> {
    load(store, bucket, CORS).ok()?
}

/// What blocks public access.
#[derive(Debug, Clone, Copy)]
#[expect(clippy::struct_excessive_bools, reason = "the four settings of S3")]
pub(crate) struct AccessBlock {
    pub(crate) acls: bool,
    pub(crate) ignore_acls: bool,
    pub(crate) policy: bool,
    pub(crate) restrict: bool,
}

/// The block of a bucket.
pub(crate) fn access_block(store: &Store, bucket: &str) -> AccessBlock {
    let block: Option<PublicAccessBlockConfiguration> =
        load(store, bucket, PUBLIC_ACCESS).ok().flatten();
    let block = block.unwrap_or_default();
    AccessBlock {
        acls: block.block_public_acls.unwrap_or(false),
        ignore_acls: block.ignore_public_acls.unwrap_or(false),
        policy: block.block_public_policy.unwrap_or(false),
        restrict: block.restrict_public_buckets.unwrap_or(false),
    }
}

/// The block that new buckets have since April 2023.
pub(crate) fn full_block() -> PublicAccessBlockConfiguration {
    PublicAccessBlockConfiguration {
        block_public_acls: Some(true),
        block_public_policy: Some(true),
        ignore_public_acls: Some(true),
        restrict_public_buckets: Some(true),
    }
}

/// Whether a bucket takes ACLs; new buckets do not since April 2023.
pub(crate) fn takes_acls(store: &Store, bucket: &str) -> bool {
    let controls: Option<OwnershipControls> = load(store, bucket, OWNERSHIP).ok().flatten();
    controls.is_some_and(|controls| {
        controls.rules.iter().any(|rule| rule.object_ownership.as_str() != "BucketOwnerEnforced")
    })
}

macro_rules! missing {
    ($code:literal) => {
        custom($code, http::StatusCode::NOT_FOUND, crate::serve::s3::error::default_message($code))
    };
}

pub(super) async fn get_bucket_cors(
    state: &State,
    _: &Context,
    input: dto::GetBucketCorsInput,
) -> Answer<dto::GetBucketCorsOutput> {
    let config: Option<CORSConfiguration> = load(&state.store, &input.bucket, CORS)?;
    let config = config.ok_or_else(|| missing!("NoSuchCORSConfiguration"))?;
    Ok(S3Response::new(dto::GetBucketCorsOutput { cors_rules: Some(config.cors_rules) }))
}

pub(super) async fn put_bucket_cors(
    state: &State,
    _: &Context,
    input: dto::PutBucketCorsInput,
) -> Answer<dto::PutBucketCorsOutput> {
    rules::check(&input.cors_configuration)?;
    save(state, &input.bucket, CORS, &input.cors_configuration).await?;
    Ok(S3Response::new(dto::PutBucketCorsOutput::default()))
}

pub(super) async fn delete_bucket_cors(
    state: &State,
    _: &Context,
    input: dto::DeleteBucketCorsInput,
) -> Answer<dto::DeleteBucketCorsOutput> {
    remove(state, &input.bucket, CORS).await?;
    Ok(S3Response::new(dto::DeleteBucketCorsOutput::default()))
}

pub(super) async fn get_bucket_encryption(
    state: &State,
    _: &Context,
    input: dto::GetBucketEncryptionInput,
) -> Answer<dto::GetBucketEncryptionOutput> {
    let config: Option<ServerSideEncryptionConfiguration> =
        load(&state.store, &input.bucket, ENCRYPTION)?;
    let config = config.unwrap_or_else(default_encryption);
    Ok(S3Response::new(dto::GetBucketEncryptionOutput {
        server_side_encryption_configuration: Some(config),
    }))
}

/// What S3 applies to every bucket since January 2023.
fn default_encryption() -> ServerSideEncryptionConfiguration {
    ServerSideEncryptionConfiguration {
        rules: vec![dto::ServerSideEncryptionRule {
            apply_server_side_encryption_by_default: Some(dto::ServerSideEncryptionByDefault {
                kms_master_key_id: None,
                sse_algorithm: "AES256".to_owned().into(),
            }),
            bucket_key_enabled: Some(false),
        }],
    }
}

pub(super) async fn put_bucket_encryption(
    state: &State,
    _: &Context,
    input: dto::PutBucketEncryptionInput,
) -> Answer<dto::PutBucketEncryptionOutput> {
    let config = input.server_side_encryption_configuration;
    let [rule] = config.rules.as_slice() else { return Err(S3ErrorCode::MalformedXML.into()) };
    if let Some(default) = &rule.apply_server_side_encryption_by_default {
        let algorithm = default.sse_algorithm.as_str();
        if !matches!(algorithm, "AES256" | "aws:kms" | "aws:kms:dsse") {
            return Err(S3ErrorCode::MalformedXML.into());
        }
        if algorithm == "AES256" && default.kms_master_key_id.is_some() {
            return Err(invalid_argument(
                "ApplyServerSideEncryptionByDefault",
                algorithm,
                "a KMSMasterKeyID is not applicable if the default sse algorithm is not aws:kms or aws:kms:dsse",
            ));
        }
    }
    save(state, &input.bucket, ENCRYPTION, &config).await?;
    Ok(S3Response::new(dto::PutBucketEncryptionOutput::default()))
}

pub(super) async fn delete_bucket_encryption(
    state: &State,
    _: &Context,
    input: dto::DeleteBucketEncryptionInput,
) -> Answer<dto::DeleteBucketEncryptionOutput> {
    remove(state, &input.bucket, ENCRYPTION).await?;
    Ok(S3Response::new(dto::DeleteBucketEncryptionOutput::default()))
}

pub(super) async fn get_bucket_lifecycle(
    state: &State,
    _: &Context,
    input: dto::GetBucketLifecycleConfigurationInput,
) -> Answer<dto::GetBucketLifecycleConfigurationOutput> {
    let config: Option<BucketLifecycleConfiguration> =
        load(&state.store, &input.bucket, LIFECYCLE)?;
    let config = config.ok_or(S3ErrorCode::NoSuchLifecycleConfiguration)?;
    let size = text(&state.store, &input.bucket, LIFECYCLE_SIZE);
    let size = size.unwrap_or_else(|| MINIMUM_SIZES[0].to_owned());
    Ok(S3Response::new(dto::GetBucketLifecycleConfigurationOutput {
        rules: Some(config.rules),
        transition_default_minimum_object_size: Some(size.into()),
    }))
}

/// From which size on objects move to another class by default. Nothing moves;
/// what is said comes back.
const MINIMUM_SIZES: [&str; 2] = ["all_storage_classes_128K", "varies_by_storage_class"];

pub(super) async fn put_bucket_lifecycle(
    state: &State,
    context: &Context,
    input: dto::PutBucketLifecycleConfigurationInput,
) -> Answer<dto::PutBucketLifecycleConfigurationOutput> {
    let mut config = input.lifecycle_configuration.ok_or(S3ErrorCode::MalformedXML)?;
    lifecycle::check(&mut config)?;
    let header = "x-amz-transition-default-minimum-object-size";
    let size = context.header(header).unwrap_or(MINIMUM_SIZES[0]);
    if !MINIMUM_SIZES.contains(&size) {
        let message = "The x-amz-transition-default-minimum-object-size header is not valid";
        return Err(invalid_argument(header, size, message));
    }
    let bytes = Bytes::from(size.to_owned());
    state.store.put_config(&input.bucket, LIFECYCLE_SIZE, bytes).await.map_err(store_error)?;
    save(state, &input.bucket, LIFECYCLE, &config).await?;
    Ok(S3Response::new(dto::PutBucketLifecycleConfigurationOutput {
        transition_default_minimum_object_size: Some(size.to_owned().into()),
    }))
}

pub(super) async fn delete_bucket_lifecycle(
    state: &State,
    _: &Context,
    input: dto::DeleteBucketLifecycleInput,
) -> Answer<dto::DeleteBucketLifecycleOutput> {
    remove(state, &input.bucket, LIFECYCLE).await?;
    remove(state, &input.bucket, LIFECYCLE_SIZE).await?;
    Ok(S3Response::new(dto::DeleteBucketLifecycleOutput::default()))
}

pub(super) async fn get_bucket_tagging(
    state: &State,
    _: &Context,
    input: dto::GetBucketTaggingInput,
) -> Answer<dto::GetBucketTaggingOutput> {
    let tagging: Option<Tagging> = load(&state.store, &input.bucket, TAGGING)?;
    let tagging = tagging.ok_or_else(|| missing!("NoSuchTagSet"))?;
    Ok(S3Response::new(dto::GetBucketTaggingOutput { tag_set: tagging.tag_set }))
}

pub(super) async fn put_bucket_tagging(
    state: &State,
    _: &Context,
    input: dto::PutBucketTaggingInput,
) -> Answer<dto::PutBucketTaggingOutput> {
    tags::of_set(&input.tagging.tag_set, 50)?;
    save(state, &input.bucket, TAGGING, &input.tagging).await?;
    let mut response = S3Response::new(dto::PutBucketTaggingOutput::default());
    response.extensions.insert(http::StatusCode::NO_CONTENT);
    Ok(response)
}

pub(super) async fn delete_bucket_tagging(
    state: &State,
    _: &Context,
    input: dto::DeleteBucketTaggingInput,
) -> Answer<dto::DeleteBucketTaggingOutput> {
    remove(state, &input.bucket, TAGGING).await?;
    Ok(S3Response::new(dto::DeleteBucketTaggingOutput::default()))
}

pub(super) async fn get_bucket_policy(
    state: &State,
    _: &Context,
    input: dto::GetBucketPolicyInput,
) -> Answer<dto::GetBucketPolicyOutput> {
    let document = state.store.config(&input.bucket, POLICY).map_err(store_error)?;
    let document = document.ok_or(S3ErrorCode::NoSuchBucketPolicy)?;
    let policy = String::from_utf8_lossy(&document).into_owned();
    Ok(S3Response::new(dto::GetBucketPolicyOutput { policy: Some(policy) }))
}

pub(super) async fn put_bucket_policy(
    state: &State,
    _: &Context,
    input: dto::PutBucketPolicyInput,
) -> Answer<dto::PutBucketPolicyOutput> {
    if input.policy.len() > MAX_POLICY {
        let message = "Policies must not be larger than 20480 bytes";
        return Err(fail(S3ErrorCode::MalformedPolicy, message));
    }
    state.store.bucket(&input.bucket).map_err(store_error)?;
    let policy = Policy::parse(&input.policy, &input.bucket)
        .map_err(|message| fail(S3ErrorCode::MalformedPolicy, message))?;
    if policy.is_public() && access_block(&state.store, &input.bucket).policy {
        let message = "User is not authorized to perform: s3:PutBucketPolicy because public policies are blocked by the BlockPublicPolicy block public access setting.";
        return Err(fail(S3ErrorCode::AccessDenied, message));
    }
    let document = Bytes::from(input.policy);
    state.store.put_config(&input.bucket, POLICY, document).await.map_err(store_error)?;
    let mut response = S3Response::new(dto::PutBucketPolicyOutput::default());
    response.extensions.insert(http::StatusCode::NO_CONTENT);
    Ok(response)
}

pub(super) async fn delete_bucket_policy(
    state: &State,
    _: &Context,
    input: dto::DeleteBucketPolicyInput,
) -> Answer<dto::DeleteBucketPolicyOutput> {
    remove(state, &input.bucket, POLICY).await?;
    Ok(S3Response::new(dto::DeleteBucketPolicyOutput::default()))
}

pub(super) async fn get_bucket_policy_status(
    state: &State,
    _: &Context,
    input: dto::GetBucketPolicyStatusInput,
) -> Answer<dto::GetBucketPolicyStatusOutput> {
    let document = state.store.config(&input.bucket, POLICY).map_err(store_error)?;
    let document = document.ok_or(S3ErrorCode::NoSuchBucketPolicy)?;
    let policy = Policy::parse(&String::from_utf8_lossy(&document), &input.bucket);
    let is_public = policy.is_ok_and(|policy| policy.is_public());
    Ok(S3Response::new(dto::GetBucketPolicyStatusOutput {
        policy_status: Some(dto::PolicyStatus { is_public: Some(is_public) }),
    }))
}

pub(super) async fn get_public_access_block(
    state: &State,
    _: &Context,
    input: dto::GetPublicAccessBlockInput,
) -> Answer<dto::GetPublicAccessBlockOutput> {
    let block: Option<PublicAccessBlockConfiguration> =
        load(&state.store, &input.bucket, PUBLIC_ACCESS)?;
    let block = block.ok_or_else(|| missing!("NoSuchPublicAccessBlockConfiguration"))?;
    Ok(S3Response::new(dto::GetPublicAccessBlockOutput {
        public_access_block_configuration: Some(block),
    }))
}

pub(super) async fn put_public_access_block(
    state: &State,
    _: &Context,
    input: dto::PutPublicAccessBlockInput,
) -> Answer<dto::PutPublicAccessBlockOutput> {
    let given = input.public_access_block_configuration;
    let block = PublicAccessBlockConfiguration {
        block_public_acls: Some(given.block_public_acls.unwrap_or(false)),
        block_public_policy: Some(given.block_public_policy.unwrap_or(false)),
        ignore_public_acls: Some(given.ignore_public_acls.unwrap_or(false)),
        restrict_public_buckets: Some(given.restrict_public_buckets.unwrap_or(false)),
    };
    save(state, &input.bucket, PUBLIC_ACCESS, &block).await?;
    Ok(S3Response::new(dto::PutPublicAccessBlockOutput::default()))
}

pub(super) async fn delete_public_access_block(
    state: &State,
    _: &Context,
    input: dto::DeletePublicAccessBlockInput,
) -> Answer<dto::DeletePublicAccessBlockOutput> {
    remove(state, &input.bucket, PUBLIC_ACCESS).await?;
    Ok(S3Response::new(dto::DeletePublicAccessBlockOutput::default()))
}

pub(super) async fn get_bucket_ownership_controls(
    state: &State,
    _: &Context,
    input: dto::GetBucketOwnershipControlsInput,
) -> Answer<dto::GetBucketOwnershipControlsOutput> {
    let controls: Option<OwnershipControls> = load(&state.store, &input.bucket, OWNERSHIP)?;
    let controls = controls.ok_or_else(|| missing!("OwnershipControlsNotFoundError"))?;
    Ok(S3Response::new(dto::GetBucketOwnershipControlsOutput {
        ownership_controls: Some(controls),
    }))
}

pub(super) async fn put_bucket_ownership_controls(
    state: &State,
    _: &Context,
    input: dto::PutBucketOwnershipControlsInput,
) -> Answer<dto::PutBucketOwnershipControlsOutput> {
    let [rule] = input.ownership_controls.rules.as_slice() else {
        return Err(S3ErrorCode::MalformedXML.into());
    };
    let ownership = rule.object_ownership.as_str();
    if !matches!(ownership, "BucketOwnerEnforced" | "BucketOwnerPreferred" | "ObjectWriter") {
        return Err(S3ErrorCode::MalformedXML.into());
    }
    save(state, &input.bucket, OWNERSHIP, &input.ownership_controls).await?;
    Ok(S3Response::new(dto::PutBucketOwnershipControlsOutput::default()))
}

pub(super) async fn delete_bucket_ownership_controls(
    state: &State,
    _: &Context,
    input: dto::DeleteBucketOwnershipControlsInput,
) -> Answer<dto::DeleteBucketOwnershipControlsOutput> {
    remove(state, &input.bucket, OWNERSHIP).await?;
    Ok(S3Response::new(dto::DeleteBucketOwnershipControlsOutput::default()))
}

pub(super) async fn get_bucket_notification(
    state: &State,
    _: &Context,
    input: dto::GetBucketNotificationConfigurationInput,
) -> Answer<dto::GetBucketNotificationConfigurationOutput> {
    let config: Option<dto::NotificationConfiguration> =
        load(&state.store, &input.bucket, NOTIFICATION)?;
    let config = config.unwrap_or_default();
    Ok(S3Response::new(dto::GetBucketNotificationConfigurationOutput {
        event_bridge_configuration: config.event_bridge_configuration,
        lambda_function_configurations: config.lambda_function_configurations,
        queue_configurations: config.queue_configurations,
        topic_configurations: config.topic_configurations,
    }))
}

pub(super) async fn put_bucket_notification(
    state: &State,
    _: &Context,
    input: dto::PutBucketNotificationConfigurationInput,
) -> Answer<dto::PutBucketNotificationConfigurationOutput> {
    save(state, &input.bucket, NOTIFICATION, &input.notification_configuration).await?;
    Ok(S3Response::new(dto::PutBucketNotificationConfigurationOutput::default()))
}

pub(super) async fn get_bucket_versioning(
    state: &State,
    _: &Context,
    input: dto::GetBucketVersioningInput,
) -> Answer<dto::GetBucketVersioningOutput> {
    let bucket = state.store.bucket(&input.bucket).map_err(store_error)?;
    let status = match bucket.versioning {
        Versioning::Unversioned => None,
        Versioning::Enabled => Some("Enabled".to_owned().into()),
        Versioning::Suspended => Some("Suspended".to_owned().into()),
    };
    Ok(S3Response::new(dto::GetBucketVersioningOutput { mfa_delete: None, status }))
}

pub(super) async fn put_bucket_versioning(
    state: &State,
    _: &Context,
    input: dto::PutBucketVersioningInput,
) -> Answer<dto::PutBucketVersioningOutput> {
    let config = input.versioning_configuration;
    let versioning = match config.status.as_ref().map(dto::BucketVersioningStatus::as_str) {
        Some("Enabled") => Versioning::Enabled,
        Some("Suspended") => Versioning::Suspended,
        Some(_) => return Err(S3ErrorCode::MalformedXML.into()),
        None => {
            let message = "The Versioning element must be specified";
            return Err(fail(S3ErrorCode::IllegalVersioningConfigurationException, message));
        }
    };
    state.store.set_versioning(&input.bucket, versioning).await.map_err(store_error)?;
    Ok(S3Response::new(dto::PutBucketVersioningOutput::default()))
}

#[cfg(test)]
mod tests {
    use crate::serve::s3::checksum::{self, Kind};
    use crate::serve::s3::testing::TestServer;

    #[tokio::test]
    async fn the_minimum_size_of_transitions_comes_back() {
        let server = TestServer::new("buckets: [{name: plain}]").await;
        let name = "x-amz-transition-default-minimum-object-size";
        let rules = "<LifecycleConfiguration><Rule><ID>r</ID><Status>Enabled</Status><Filter/>\
            <Expiration><Days>1</Days></Expiration></Rule></LifecycleConfiguration>";
        let sum = checksum::of(Kind::Crc32, rules.as_bytes());
        let sum = ("x-amz-checksum-crc32", sum.as_str());
        let target = "/plain?lifecycle";
        let put = server.ask("PUT", target, &[sum, (name, "some")], rules).await;
        assert_eq!(put.status, 400, "{}", put.text());
        assert_eq!(server.ask("GET", target, &[], "").await.status, 404);
        for (headers, size) in [
            (&[sum, (name, "varies_by_storage_class")][..], "varies_by_storage_class"),
            (&[sum], "all_storage_classes_128K"),
        ] {
            let put = server.ask("PUT", target, headers, rules).await;
            assert_eq!((put.status.as_u16(), &put.headers[name]), (200, &size.parse().unwrap()));
            assert_eq!(server.ask("GET", target, &[], "").await.headers[name], size);
        }
    }
}
