//! Which S3 operation a request asks for: a table over method, path and query.
//! It decides nothing else. What is not in the table of implemented operations
//! is refused by name, so that nothing unknown is taken for something known.
//!
//! Source: the URI syntax of each operation in the Amazon S3 API reference.

use http::Method;

/// An operation's name and whether this server has it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Resolved {
    /// An operation that is implemented.
    Known(&'static str),
    /// An operation of S3 that this server lacks.
    Missing(&'static str),
    /// The method is not one for this resource; `ResourceType` of the error.
    NotAllowed(&'static str),
}

/// The part of a request that names its operation.
#[derive(Debug, Clone, Copy)]
#[expect(clippy::struct_excessive_bools, reason = "independent facts about a request")]
pub(crate) struct Asked<'a> {
    pub(crate) method: &'a Method,
    pub(crate) has_bucket: bool,
    pub(crate) has_key: bool,
    pub(crate) query: &'a [(String, String)],
    pub(crate) copies: bool,
    pub(crate) is_form: bool,
}

/// GET, PUT, DELETE of a subresource, and `ResourceType`.
/// An operation that begins with `!` is not implemented.
type Row = (&'static str, [Option<&'static str>; 3], &'static str);

const BUCKET: &[Row] = &[
    (
        "accelerate",
        [Some("GetBucketAccelerateConfiguration"), Some("!PutBucketAccelerateConfiguration"), None],
        "ACCELERATE",
    ),
    ("acl", [Some("GetBucketAcl"), Some("PutBucketAcl"), None], "ACL"),
    (
        "analytics",
        [
            Some("!GetBucketAnalyticsConfiguration"),
            Some("!PutBucketAnalyticsConfiguration"),
            Some("!DeleteBucketAnalyticsConfiguration"),
        ],
        "ANALYTICS",
    ),
    ("cors", [Some("GetBucketCors"), Some("PutBucketCors"), Some("DeleteBucketCors")], "CORS"),
    (
        "encryption",
        [Some("GetBucketEncryption"), Some("PutBucketEncryption"), Some("DeleteBucketEncryption")],
        "ENCRYPTION",
    ),
    (
        "intelligent-tiering",
        [
            Some("!GetBucketIntelligentTieringConfiguration"),
            Some("!PutBucketIntelligentTieringConfiguration"),
            Some("!DeleteBucketIntelligentTieringConfiguration"),
        ],
        "INTELLIGENT_TIERING",
    ),
    (
        "inventory",
        [
            Some("!GetBucketInventoryConfiguration"),
            Some("!PutBucketInventoryConfiguration"),
            Some("!DeleteBucketInventoryConfiguration"),
        ],
        "INVENTORY",
    ),
    (
        "lifecycle",
        [
            Some("GetBucketLifecycleConfiguration"),
            Some("PutBucketLifecycleConfiguration"),
            Some("DeleteBucketLifecycle"),
        ],
        "LIFECYCLE",
    ),
    ("location", [Some("GetBucketLocation"), None, None], "LOCATION"),
    ("logging", [Some("GetBucketLogging"), Some("!PutBucketLogging"), None], "LOGGING"),
    (
        "metadataTable",
        [
            Some("!GetBucketMetadataTableConfiguration"),
            None,
            Some("!DeleteBucketMetadataTableConfiguration"),
        ],
        "METADATA_TABLE",
    ),
    (
        "metadataConfiguration",
        [Some("!GetBucketMetadataConfiguration"), None, Some("!DeleteBucketMetadataConfiguration")],
        "METADATA",
    ),
    (
        "metadataInventoryTable",
        [None, Some("!UpdateBucketMetadataInventoryTableConfiguration"), None],
        "METADATA",
    ),
    (
        "metadataJournalTable",
        [None, Some("!UpdateBucketMetadataJournalTableConfiguration"), None],
        "METADATA",
    ),
    (
        "metrics",
        [
            Some("!GetBucketMetricsConfiguration"),
            Some("!PutBucketMetricsConfiguration"),
            Some("!DeleteBucketMetricsConfiguration"),
        ],
        "METRICS",
    ),
    (
        "notification",
        [
            Some("GetBucketNotificationConfiguration"),
            Some("PutBucketNotificationConfiguration"),
            None,
        ],
        "NOTIFICATION",
    ),
    (
        "object-lock",
        [Some("GetObjectLockConfiguration"), Some("PutObjectLockConfiguration"), None],
        "OBJECT_LOCK",
    ),
    (
        "ownershipControls",
        [
            Some("GetBucketOwnershipControls"),
            Some("PutBucketOwnershipControls"),
            Some("DeleteBucketOwnershipControls"),
        ],
        "OWNERSHIP_CONTROLS",
    ),
    (
        "policy",
        [Some("GetBucketPolicy"), Some("PutBucketPolicy"), Some("DeleteBucketPolicy")],
        "BUCKETPOLICY",
    ),
    ("policyStatus", [Some("GetBucketPolicyStatus"), None, None], "POLICY_STATUS"),
    (
        "publicAccessBlock",
        [
            Some("GetPublicAccessBlock"),
            Some("PutPublicAccessBlock"),
            Some("DeletePublicAccessBlock"),
        ],
        "PUBLIC_ACCESS_BLOCK",
    ),
    (
        "replication",
        [
            Some("GetBucketReplication"),
            Some("!PutBucketReplication"),
            Some("DeleteBucketReplication"),
        ],
        "REPLICATION",
    ),
    (
        "requestPayment",
        [Some("GetBucketRequestPayment"), Some("!PutBucketRequestPayment"), None],
        "REQUEST_PAYMENT",
    ),
    ("session", [Some("!CreateSession"), None, None], "SESSION"),
    ("abac", [Some("!GetBucketAbac"), Some("!PutBucketAbac"), None], "ABAC"),
    (
        "tagging",
        [Some("GetBucketTagging"), Some("PutBucketTagging"), Some("DeleteBucketTagging")],
        "TAGGING",
    ),
    ("uploads", [Some("ListMultipartUploads"), None, None], "UPLOADS"),
    ("versioning", [Some("GetBucketVersioning"), Some("PutBucketVersioning"), None], "VERSIONING"),
    ("versions", [Some("ListObjectVersions"), None, None], "BUCKETVERSIONS"),
    (
        "website",
        [Some("GetBucketWebsite"), Some("!PutBucketWebsite"), Some("DeleteBucketWebsite")],
        "WEBSITE",
    ),
];

const OBJECT: &[Row] = &[
    ("acl", [Some("GetObjectAcl"), Some("PutObjectAcl"), None], "ACL"),
    ("attributes", [Some("GetObjectAttributes"), None, None], "ATTRIBUTES"),
    ("encryption", [None, Some("!UpdateObjectEncryption"), None], "ENCRYPTION"),
    ("legal-hold", [Some("GetObjectLegalHold"), Some("PutObjectLegalHold"), None], "LEGAL_HOLD"),
    ("retention", [Some("GetObjectRetention"), Some("PutObjectRetention"), None], "RETENTION"),
    (
        "tagging",
        [Some("GetObjectTagging"), Some("PutObjectTagging"), Some("DeleteObjectTagging")],
        "TAGGING",
    ),
    ("torrent", [Some("!GetObjectTorrent"), None, None], "TORRENT"),
    ("renameObject", [None, Some("!RenameObject"), None], "OBJECT"),
];

/// Whether a query parameter of this name makes another operation of a request.
pub(crate) fn is_subresource(name: &str) -> bool {
    BUCKET.iter().chain(OBJECT).any(|(row, ..)| *row == name)
}

fn implemented(name: &'static str) -> Resolved {
    name.strip_prefix('!').map_or(Resolved::Known(name), Resolved::Missing)
}

fn has(asked: &Asked<'_>, name: &str) -> bool {
    asked.query.iter().any(|(key, _)| key == name)
}

/// Resolves a request's operation.
pub(crate) fn resolve(asked: &Asked<'_>) -> Resolved {
    match (asked.has_bucket, asked.has_key) {
        (false, _) => match *asked.method {
            Method::GET => Resolved::Known("ListBuckets"),
            _ => Resolved::NotAllowed("SERVICE"),
        },
        (true, false) => of_bucket(asked),
        (true, true) => of_object(asked),
    }
}

fn of_bucket(asked: &Asked<'_>) -> Resolved {
    if *asked.method == Method::HEAD {
        return Resolved::Known("HeadBucket");
    }
    if *asked.method == Method::POST {
        return match () {
            () if has(asked, "delete") => Resolved::Known("DeleteObjects"),
            () if has(asked, "metadataTable") => {
                Resolved::Missing("CreateBucketMetadataTableConfiguration")
            }
            () if has(asked, "metadataConfiguration") => {
                Resolved::Missing("CreateBucketMetadataConfiguration")
            }
            () if asked.is_form => Resolved::Known("PostObject"),
            () => subresource(asked, BUCKET)
                .map_or(Resolved::NotAllowed("BUCKET"), |(_, kind)| Resolved::NotAllowed(kind)),
        };
    }
    if let Some((operation, kind)) = subresource(asked, BUCKET) {
        return operation.map_or(Resolved::NotAllowed(kind), implemented);
    }
    let v2 = asked.query.iter().any(|(name, value)| name == "list-type" && value == "2");
    match *asked.method {
        Method::GET if v2 => Resolved::Known("ListObjectsV2"),
        Method::GET => Resolved::Known("ListObjects"),
        Method::PUT => Resolved::Known("CreateBucket"),
        Method::DELETE => Resolved::Known("DeleteBucket"),
        _ => Resolved::NotAllowed("BUCKET"),
    }
}

fn of_object(asked: &Asked<'_>) -> Resolved {
    let upload = has(asked, "uploadId");
    if *asked.method == Method::HEAD {
        return Resolved::Known("HeadObject");
    }
    if *asked.method == Method::POST {
        return match () {
            () if has(asked, "uploads") => Resolved::Known("CreateMultipartUpload"),
            () if upload => Resolved::Known("CompleteMultipartUpload"),
            () if has(asked, "select") => Resolved::Missing("SelectObjectContent"),
            () if has(asked, "restore") => Resolved::Missing("RestoreObject"),
            () => Resolved::NotAllowed("OBJECT"),
        };
    }
    if let Some((operation, kind)) = subresource(asked, OBJECT) {
        return operation.map_or(Resolved::NotAllowed(kind), implemented);
    }
    if upload && *asked.method == Method::PUT && !has(asked, "partNumber") {
        return Resolved::NotAllowed("UPLOAD");
    }
    match *asked.method {
        Method::GET if upload => Resolved::Known("ListParts"),
        Method::GET => Resolved::Known("GetObject"),
        Method::PUT if upload && asked.copies => Resolved::Known("UploadPartCopy"),
        Method::PUT if upload => Resolved::Known("UploadPart"),
        Method::PUT if asked.copies => Resolved::Known("CopyObject"),
        Method::PUT => Resolved::Known("PutObject"),
        Method::DELETE if upload => Resolved::Known("AbortMultipartUpload"),
        Method::DELETE => Resolved::Known("DeleteObject"),
        _ => Resolved::NotAllowed("OBJECT"),
    }
}

fn subresource(asked: &Asked<'_>, rows: &[Row]) -> Option<(Option<&'static str>, &'static str)> {
    let (_, operations, kind) = rows.iter().find(|(name, ..)| has(asked, name))?;
    let column = match *asked.method {
        Method::GET => 0,
        Method::PUT => 1,
        Method::DELETE => 2,
        _ => return Some((None, kind)),
    };
    Some((operations[column], kind))
}

/// The IAM action that a bucket policy must allow for an operation.
///
/// Source: "Actions, resources, and condition keys for Amazon S3" in the
/// service authorization reference.
pub(crate) fn action(operation: &str, has_version: bool) -> String {
    let name = match operation {
        "GetObject" | "HeadObject" | "GetObjectAttributes" if has_version => "GetObjectVersion",
        "HeadObject" => "GetObject",
        "HeadBucket" | "ListObjects" | "ListObjectsV2" => "ListBucket",
        "ListObjectVersions" => "ListBucketVersions",
        "ListMultipartUploads" => "ListBucketMultipartUploads",
        "ListParts" => "ListMultipartUploadParts",
        "ListBuckets" => "ListAllMyBuckets",
        "DeleteObject" if has_version => "DeleteObjectVersion",
        "DeleteObjects" => "DeleteObject",
        "PostObject"
        | "CopyObject"
        | "UploadPart"
        | "UploadPartCopy"
        | "CreateMultipartUpload"
        | "CompleteMultipartUpload" => "PutObject",
        "GetObjectTagging" if has_version => "GetObjectVersionTagging",
        "GetBucketCors" => "GetBucketCORS",
        "GetBucketLifecycleConfiguration" => "GetLifecycleConfiguration",
        other => other,
    };
    format!("s3:{name}")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ask(line: &str) -> Resolved {
        let (method, target) = line.split_once(' ').unwrap();
        let (path, query) = target.split_once('?').unwrap_or((target, ""));
        let pairs: Vec<(String, String)> = query
            .split('&')
            .filter(|pair| !pair.is_empty())
            .map(|pair| pair.split_once('=').unwrap_or((pair, "")))
            .map(|(a, b)| (a.to_owned(), b.to_owned()))
            .collect();
        let parts: Vec<_> = path.split('/').filter(|part| !part.is_empty()).collect();
        resolve(&Asked {
            method: &method.parse().unwrap(),
            has_bucket: !parts.is_empty(),
            has_key: parts.len() > 1,
            query: &pairs,
            copies: false,
            is_form: false,
        })
    }

    #[test]
    fn requests_are_resolved_by_method_path_and_query() {
        for (line, name) in [
            ("GET /", "ListBuckets"),
            ("GET /b", "ListObjects"),
            ("GET /b?list-type=2&prefix=acl", "ListObjectsV2"),
            ("GET /b?versions", "ListObjectVersions"),
            ("PUT /b", "CreateBucket"),
            ("PUT /b?versioning", "PutBucketVersioning"),
            ("DELETE /b?lifecycle", "DeleteBucketLifecycle"),
            ("POST /b?delete", "DeleteObjects"),
            ("GET /b/k", "GetObject"),
            ("GET /b/k?uploadId=x", "ListParts"),
            ("PUT /b/k?uploadId=x&partNumber=1", "UploadPart"),
            ("POST /b/k?uploads", "CreateMultipartUpload"),
            ("DELETE /b/k?uploadId=x", "AbortMultipartUpload"),
        ] {
            assert_eq!(ask(line), Resolved::Known(name), "{line}");
        }
    }

    #[test]
    fn what_is_not_there_is_named() {
        assert_eq!(ask("PUT /b?website"), Resolved::Missing("PutBucketWebsite"));
        assert_eq!(
            ask("GET /b?inventory&id=x"),
            Resolved::Missing("GetBucketInventoryConfiguration")
        );
        assert_eq!(ask("PUT /b/k?renameObject"), Resolved::Missing("RenameObject"));
        assert_eq!(ask("PUT /b?location"), Resolved::NotAllowed("LOCATION"));
        assert_eq!(ask("POST /b"), Resolved::NotAllowed("BUCKET"));
        assert_eq!(ask("DELETE /"), Resolved::NotAllowed("SERVICE"));
    }

    #[test]
    fn actions_follow_the_authorization_reference() {
        assert_eq!(action("GetObject", false), "s3:GetObject");
        assert_eq!(action("HeadObject", true), "s3:GetObjectVersion");
        assert_eq!(action("ListObjectsV2", false), "s3:ListBucket");
    }
}
