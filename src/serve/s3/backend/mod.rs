//! The operations of S3 on top of the store. Each is a function in one of the
//! modules below; here is only which operation is which function, and what is
//! common to them.

mod acl;
mod attributes;
pub(crate) mod buckets;
mod conditions;
pub(crate) mod config;
mod copy;
mod delete;
mod list;
mod list_versions;
mod lock;
mod meta;
mod multipart;
mod read;
mod tags;
mod unset;
mod versions;
mod write;

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;

use jiff::Timestamp;
use s3s::{S3, S3Error, S3ErrorCode, S3Request, S3Response, S3Result, dto};

use super::checksum::Kind;
use super::error::{fail, with};
use super::state::{Context, State};
use super::store::{ChecksumAlgorithm, ETag, StoreError};

/// What an operation comes to.
type Answer<T> = S3Result<S3Response<T>>;

/// The operations.
#[derive(Clone)]
pub(crate) struct Backend(pub(crate) Arc<State>);

macro_rules! operations {
    ($($operation:ident($input:ident) -> $output:ident = $function:path;)*) => {
        impl S3 for Backend {
            $(
                fn $operation<'a, 'b>(
                    &'a self,
                    request: S3Request<dto::$input>,
                ) -> Pin<Box<dyn Future<Output = Answer<dto::$output>> + Send + 'b>>
                where
                    'a: 'b,
                    Self: 'b,
                {
                    Box::pin(async move {
                        let context = Context::of(&request)?;
                        $function(&self.0, &context, request.input).await
                    })
                }
            )*
        }
    };
}

operations! {
    abort_multipart_upload(AbortMultipartUploadInput) -> AbortMultipartUploadOutput = multipart::abort;
    complete_multipart_upload(CompleteMultipartUploadInput) -> CompleteMultipartUploadOutput = multipart::complete::complete;
    copy_object(CopyObjectInput) -> CopyObjectOutput = copy::copy_object;
    create_bucket(CreateBucketInput) -> CreateBucketOutput = buckets::create;
    create_multipart_upload(CreateMultipartUploadInput) -> CreateMultipartUploadOutput = multipart::create;
    delete_bucket(DeleteBucketInput) -> DeleteBucketOutput = buckets::delete;
    delete_bucket_cors(DeleteBucketCorsInput) -> DeleteBucketCorsOutput = config::delete_bucket_cors;
    delete_bucket_encryption(DeleteBucketEncryptionInput) -> DeleteBucketEncryptionOutput = config::delete_bucket_encryption;
    delete_bucket_lifecycle(DeleteBucketLifecycleInput) -> DeleteBucketLifecycleOutput = config::delete_bucket_lifecycle;
    delete_bucket_ownership_controls(DeleteBucketOwnershipControlsInput) -> DeleteBucketOwnershipControlsOutput = config::delete_bucket_ownership_controls;
    delete_bucket_policy(DeleteBucketPolicyInput) -> DeleteBucketPolicyOutput = config::delete_bucket_policy;
    delete_bucket_replication(DeleteBucketReplicationInput) -> DeleteBucketReplicationOutput = unset::delete_bucket_replication;
    delete_bucket_tagging(DeleteBucketTaggingInput) -> DeleteBucketTaggingOutput = config::delete_bucket_tagging;
    delete_bucket_website(DeleteBucketWebsiteInput) -> DeleteBucketWebsiteOutput = unset::delete_bucket_website;
    delete_object(DeleteObjectInput) -> DeleteObjectOutput = delete::delete_object;
    delete_object_tagging(DeleteObjectTaggingInput) -> DeleteObjectTaggingOutput = tags::delete_object_tagging;
    delete_objects(DeleteObjectsInput) -> DeleteObjectsOutput = delete::delete_objects;
    delete_public_access_block(DeletePublicAccessBlockInput) -> DeletePublicAccessBlockOutput = config::delete_public_access_block;
    get_bucket_accelerate_configuration(GetBucketAccelerateConfigurationInput) -> GetBucketAccelerateConfigurationOutput = unset::get_bucket_accelerate;
    get_bucket_acl(GetBucketAclInput) -> GetBucketAclOutput = acl::get_bucket_acl;
    get_bucket_cors(GetBucketCorsInput) -> GetBucketCorsOutput = config::get_bucket_cors;
    get_bucket_encryption(GetBucketEncryptionInput) -> GetBucketEncryptionOutput = config::get_bucket_encryption;
    get_bucket_lifecycle_configuration(GetBucketLifecycleConfigurationInput) -> GetBucketLifecycleConfigurationOutput = config::get_bucket_lifecycle;
    get_bucket_location(GetBucketLocationInput) -> GetBucketLocationOutput = buckets::location;
    get_bucket_logging(GetBucketLoggingInput) -> GetBucketLoggingOutput = unset::get_bucket_logging;
    get_bucket_notification_configuration(GetBucketNotificationConfigurationInput) -> GetBucketNotificationConfigurationOutput = config::get_bucket_notification;
    get_bucket_ownership_controls(GetBucketOwnershipControlsInput) -> GetBucketOwnershipControlsOutput = config::get_bucket_ownership_controls;
    get_bucket_policy(GetBucketPolicyInput) -> GetBucketPolicyOutput = config::get_bucket_policy;
    get_bucket_policy_status(GetBucketPolicyStatusInput) -> GetBucketPolicyStatusOutput = config::get_bucket_policy_status;
    get_bucket_replication(GetBucketReplicationInput) -> GetBucketReplicationOutput = unset::get_bucket_replication;
    get_bucket_request_payment(GetBucketRequestPaymentInput) -> GetBucketRequestPaymentOutput = unset::get_bucket_request_payment;
    get_bucket_tagging(GetBucketTaggingInput) -> GetBucketTaggingOutput = config::get_bucket_tagging;
    get_bucket_versioning(GetBucketVersioningInput) -> GetBucketVersioningOutput = config::get_bucket_versioning;
    get_bucket_website(GetBucketWebsiteInput) -> GetBucketWebsiteOutput = unset::get_bucket_website;
    get_object(GetObjectInput) -> GetObjectOutput = read::get_object;
    get_object_acl(GetObjectAclInput) -> GetObjectAclOutput = acl::get_object_acl;
    get_object_attributes(GetObjectAttributesInput) -> GetObjectAttributesOutput = attributes::get_object_attributes;
    get_object_legal_hold(GetObjectLegalHoldInput) -> GetObjectLegalHoldOutput = lock::get_legal_hold;
    get_object_lock_configuration(GetObjectLockConfigurationInput) -> GetObjectLockConfigurationOutput = lock::get_configuration;
    get_object_retention(GetObjectRetentionInput) -> GetObjectRetentionOutput = lock::get_retention;
    get_object_tagging(GetObjectTaggingInput) -> GetObjectTaggingOutput = tags::get_object_tagging;
    get_public_access_block(GetPublicAccessBlockInput) -> GetPublicAccessBlockOutput = config::get_public_access_block;
    head_bucket(HeadBucketInput) -> HeadBucketOutput = buckets::head;
    head_object(HeadObjectInput) -> HeadObjectOutput = read::head_object;
    list_buckets(ListBucketsInput) -> ListBucketsOutput = buckets::list;
    list_multipart_uploads(ListMultipartUploadsInput) -> ListMultipartUploadsOutput = multipart::list::uploads;
    list_object_versions(ListObjectVersionsInput) -> ListObjectVersionsOutput = list_versions::versions;
    list_objects(ListObjectsInput) -> ListObjectsOutput = list::objects;
    list_objects_v2(ListObjectsV2Input) -> ListObjectsV2Output = list::objects_v2;
    list_parts(ListPartsInput) -> ListPartsOutput = multipart::list::parts;
    put_bucket_acl(PutBucketAclInput) -> PutBucketAclOutput = acl::put_bucket_acl;
    put_bucket_cors(PutBucketCorsInput) -> PutBucketCorsOutput = config::put_bucket_cors;
    put_bucket_encryption(PutBucketEncryptionInput) -> PutBucketEncryptionOutput = config::put_bucket_encryption;
    put_bucket_lifecycle_configuration(PutBucketLifecycleConfigurationInput) -> PutBucketLifecycleConfigurationOutput = config::put_bucket_lifecycle;
    put_bucket_notification_configuration(PutBucketNotificationConfigurationInput) -> PutBucketNotificationConfigurationOutput = config::put_bucket_notification;
    put_bucket_ownership_controls(PutBucketOwnershipControlsInput) -> PutBucketOwnershipControlsOutput = config::put_bucket_ownership_controls;
    put_bucket_policy(PutBucketPolicyInput) -> PutBucketPolicyOutput = config::put_bucket_policy;
    put_bucket_tagging(PutBucketTaggingInput) -> PutBucketTaggingOutput = config::put_bucket_tagging;
    put_bucket_versioning(PutBucketVersioningInput) -> PutBucketVersioningOutput = config::put_bucket_versioning;
    put_object(PutObjectInput) -> PutObjectOutput = write::put_object;
    put_object_acl(PutObjectAclInput) -> PutObjectAclOutput = acl::put_object_acl;
    put_object_legal_hold(PutObjectLegalHoldInput) -> PutObjectLegalHoldOutput = lock::put_legal_hold;
    put_object_lock_configuration(PutObjectLockConfigurationInput) -> PutObjectLockConfigurationOutput = lock::put_configuration;
    put_object_retention(PutObjectRetentionInput) -> PutObjectRetentionOutput = lock::put_retention;
    put_object_tagging(PutObjectTaggingInput) -> PutObjectTaggingOutput = tags::put_object_tagging;
    put_public_access_block(PutPublicAccessBlockInput) -> PutPublicAccessBlockOutput = config::put_public_access_block;
    upload_part(UploadPartInput) -> UploadPartOutput = multipart::upload_part;
    upload_part_copy(UploadPartCopyInput) -> UploadPartCopyOutput = multipart::copy::upload_part_copy;
}

/// The owner of everything.
pub(crate) fn owner() -> dto::Owner {
    dto::Owner {
        display_name: Some(super::OWNER_NAME.to_owned()),
        id: Some(super::OWNER_ID.to_owned()),
    }
}

/// A time for `s3s`.
fn timestamp(at: Timestamp) -> dto::Timestamp {
    std::time::SystemTime::from(at).into()
}

/// The time of milliseconds since 1970.
fn at(ms: i64) -> Timestamp {
    Timestamp::from_millisecond(ms).unwrap_or(Timestamp::MAX)
}

fn etag(etag: &ETag) -> dto::ETag {
    dto::ETag::Strong(etag.to_string())
}

fn algorithm(kind: Kind) -> ChecksumAlgorithm {
    match kind {
        Kind::Crc32 => ChecksumAlgorithm::Crc32,
        Kind::Crc32c => ChecksumAlgorithm::Crc32c,
        Kind::Crc64Nvme => ChecksumAlgorithm::Crc64Nvme,
        Kind::Sha1 => ChecksumAlgorithm::Sha1,
        Kind::Sha256 => ChecksumAlgorithm::Sha256,
    }
}

fn kind(algorithm: ChecksumAlgorithm) -> Kind {
    match algorithm {
        ChecksumAlgorithm::Crc32 => Kind::Crc32,
        ChecksumAlgorithm::Crc32c => Kind::Crc32c,
        ChecksumAlgorithm::Crc64Nvme => Kind::Crc64Nvme,
        ChecksumAlgorithm::Sha1 => Kind::Sha1,
        ChecksumAlgorithm::Sha256 => Kind::Sha256,
    }
}

/// What S3 says when the store did not do something.
pub(crate) fn store_error(error: StoreError) -> S3Error {
    match error {
        StoreError::NoSuchBucket(name) => {
            with(S3ErrorCode::NoSuchBucket.into(), "BucketName", &name)
        }
        StoreError::BucketAlreadyExists(_) => S3ErrorCode::BucketAlreadyOwnedByYou.into(),
        StoreError::BucketNotEmpty(_) => S3ErrorCode::BucketNotEmpty.into(),
        StoreError::InvalidBucketState(why) => fail(
            S3ErrorCode::InvalidBucketState,
            format!("The request is not valid for the current state of the bucket: {why}"),
        ),
        StoreError::NoSuchKey(key) | StoreError::DeleteMarker { key, .. } => {
            with(S3ErrorCode::NoSuchKey.into(), "Key", &key)
        }
        StoreError::NoSuchVersion { version, .. } => {
            with(S3ErrorCode::NoSuchVersion.into(), "VersionId", &version)
        }
        StoreError::KeyLength(_) => {
            with(S3ErrorCode::KeyTooLongError.into(), "MaxKeyLength", "1024")
        }
        StoreError::NoSuchUpload(id) => with(S3ErrorCode::NoSuchUpload.into(), "UploadId", &id),
        StoreError::InvalidPart(number) => {
            with(S3ErrorCode::InvalidPart.into(), "PartNumber", &number.to_string())
        }
        StoreError::PartNumber(number) => multipart::bad_number(&number.to_string()),
        StoreError::PreconditionFailed(name) => {
            with(S3ErrorCode::PreconditionFailed.into(), "Condition", name)
        }
        StoreError::Locked { .. } => fail(
            S3ErrorCode::AccessDenied,
            "Access Denied because object protected by object lock.",
        ),
        StoreError::TooLarge { .. } => S3ErrorCode::MaxMessageLengthExceeded.into(),
        StoreError::Range { .. } => S3ErrorCode::InvalidRange.into(),
        StoreError::ReadOnly(_) | StoreError::Closed => S3ErrorCode::ServiceUnavailable.into(),
        other => S3Error::internal_error(other),
    }
}
