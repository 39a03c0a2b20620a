//! Operations whose answer is what S3 says as long as nothing was set: there
//! is nothing to set here.

use s3s::{S3ErrorCode, S3Response, S3Result, dto};

use super::Answer;
use super::store_error;
use crate::serve::s3::state::{Context, State};

fn there(state: &State, bucket: &str) -> S3Result<()> {
    state.store.bucket(bucket).map_err(store_error)?;
    Ok(())
}

pub(super) async fn get_bucket_accelerate(
    state: &State,
    _: &Context,
    input: dto::GetBucketAccelerateConfigurationInput,
) -> Answer<dto::GetBucketAccelerateConfigurationOutput> {
    there(state, &input.bucket)?;
    Ok(S3Response::new(dto::GetBucketAccelerateConfigurationOutput::default()))
}

pub(super) async fn get_bucket_logging(
    state: &State,
    _: &Context,
    input: dto::GetBucketLoggingInput,
) -> Answer<dto::GetBucketLoggingOutput> {
    there(state, &input.bucket)?;
    Ok(S3Response::new(dto::GetBucketLoggingOutput::default()))
}

pub(super) async fn get_bucket_request_payment(
    state: &State,
    _: &Context,
    input: dto::GetBucketRequestPaymentInput,
) -> Answer<dto::GetBucketRequestPaymentOutput> {
    there(state, &input.bucket)?;
    Ok(S3Response::new(dto::GetBucketRequestPaymentOutput {
        payer: Some("BucketOwner".to_owned().into()),
    }))
}

pub(super) async fn get_bucket_website(
    state: &State,
    _: &Context,
    input: dto::GetBucketWebsiteInput,
) -> Answer<dto::GetBucketWebsiteOutput> {
    there(state, &input.bucket)?;
    Err(S3ErrorCode::NoSuchWebsiteConfiguration.into())
}

pub(super) async fn delete_bucket_website(
    state: &State,
    _: &Context,
    input: dto::DeleteBucketWebsiteInput,
) -> Answer<dto::DeleteBucketWebsiteOutput> {
    there(state, &input.bucket)?;
    Ok(S3Response::new(dto::DeleteBucketWebsiteOutput::default()))
}

pub(super) async fn get_bucket_replication(
    state: &State,
    _: &Context,
    input: dto::GetBucketReplicationInput,
) -> Answer<dto::GetBucketReplicationOutput> {
    there(state, &input.bucket)?;
    Err(S3ErrorCode::ReplicationConfigurationNotFoundError.into())
}

pub(super) async fn delete_bucket_replication(
    state: &State,
    _: &Context,
    input: dto::DeleteBucketReplicationInput,
) -> Answer<dto::DeleteBucketReplicationOutput> {
    there(state, &input.bucket)?;
    Ok(S3Response::new(dto::DeleteBucketReplicationOutput::default()))
}
