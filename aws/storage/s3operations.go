package storage

import (
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/treatyfed/treaty/aws/op"
)

func itoa(n int) string { return strconv.Itoa(n) }

// operation is one of S3's, and the permission that it needs on its target. Some need more: see demands.
type operation struct {
	sub       string // query parameter that selects it, "" the rest
	name      string
	action    string
	versioned string // action with a versionId
}

// copies reports the operations that read another object.
func (o operation) copies() bool { return o.name == "CopyObject" || o.name == "UploadPartCopy" }

// operations of the service, by method.
var serviceOperations = map[string][]operation{
	http.MethodGet: {{"", "ListBuckets", "s3:ListAllMyBuckets", ""}},
}

// operations of a bucket (Service Authorization Reference, "Actions, resources, and condition keys for
// Amazon S3"; the query parameters are the API reference's).
var bucketOperations = map[string][]operation{
	http.MethodGet: {
		{"", "ListObjects", "s3:ListBucket", ""},
		{"list-type", "ListObjectsV2", "s3:ListBucket", ""},
		{"versions", "ListObjectVersions", "s3:ListBucketVersions", ""},
		{"uploads", "ListMultipartUploads", "s3:ListBucketMultipartUploads", ""},
		{"location", "GetBucketLocation", "s3:GetBucketLocation", ""},
		{"policy", "GetBucketPolicy", "s3:GetBucketPolicy", ""},
		{"policyStatus", "GetBucketPolicyStatus", "s3:GetBucketPolicyStatus", ""},
		{"acl", "GetBucketAcl", "s3:GetBucketAcl", ""},
		{"cors", "GetBucketCors", "s3:GetBucketCORS", ""},
		{"tagging", "GetBucketTagging", "s3:GetBucketTagging", ""},
		{"versioning", "GetBucketVersioning", "s3:GetBucketVersioning", ""},
		{"website", "GetBucketWebsite", "s3:GetBucketWebsite", ""},
		{"object-lock", "GetObjectLockConfiguration", "s3:GetBucketObjectLockConfiguration", ""},
		{"ownershipControls", "GetBucketOwnershipControls", "s3:GetBucketOwnershipControls", ""},
		{"encryption", "GetBucketEncryption", "s3:GetEncryptionConfiguration", ""},
		{"lifecycle", "GetBucketLifecycleConfiguration", "s3:GetLifecycleConfiguration", ""},
		{"logging", "GetBucketLogging", "s3:GetBucketLogging", ""},
		{"notification", "GetBucketNotificationConfiguration", "s3:GetBucketNotification", ""},
		{"publicAccessBlock", "GetPublicAccessBlock", "s3:GetBucketPublicAccessBlock", ""},
		{"replication", "GetBucketReplication", "s3:GetReplicationConfiguration", ""},
		{"requestPayment", "GetBucketRequestPayment", "s3:GetBucketRequestPayment", ""},
		{"accelerate", "GetBucketAccelerateConfiguration", "s3:GetAccelerateConfiguration", ""},
	},
	http.MethodHead: {{"", "HeadBucket", "s3:ListBucket", ""}},
	http.MethodPut: {
		{"", "CreateBucket", "s3:CreateBucket", ""},
		{"policy", "PutBucketPolicy", "s3:PutBucketPolicy", ""},
		{"acl", "PutBucketAcl", "s3:PutBucketAcl", ""},
		{"cors", "PutBucketCors", "s3:PutBucketCORS", ""},
		{"tagging", "PutBucketTagging", "s3:PutBucketTagging", ""},
		{"versioning", "PutBucketVersioning", "s3:PutBucketVersioning", ""},
		{"website", "PutBucketWebsite", "s3:PutBucketWebsite", ""},
		{"object-lock", "PutObjectLockConfiguration", "s3:PutBucketObjectLockConfiguration", ""},
		{"ownershipControls", "PutBucketOwnershipControls", "s3:PutBucketOwnershipControls", ""},
		{"encryption", "PutBucketEncryption", "s3:PutEncryptionConfiguration", ""},
		{"lifecycle", "PutBucketLifecycleConfiguration", "s3:PutLifecycleConfiguration", ""},
		{"logging", "PutBucketLogging", "s3:PutBucketLogging", ""},
		{"notification", "PutBucketNotificationConfiguration", "s3:PutBucketNotification", ""},
		{"publicAccessBlock", "PutPublicAccessBlock", "s3:PutBucketPublicAccessBlock", ""},
		{"replication", "PutBucketReplication", "s3:PutReplicationConfiguration", ""},
		{"requestPayment", "PutBucketRequestPayment", "s3:PutBucketRequestPayment", ""},
		{"accelerate", "PutBucketAccelerateConfiguration", "s3:PutAccelerateConfiguration", ""},
	},
	http.MethodDelete: {
		{"", "DeleteBucket", "s3:DeleteBucket", ""},
		{"policy", "DeleteBucketPolicy", "s3:DeleteBucketPolicy", ""},
		{"cors", "DeleteBucketCors", "s3:PutBucketCORS", ""},
		{"tagging", "DeleteBucketTagging", "s3:PutBucketTagging", ""},
		{"website", "DeleteBucketWebsite", "s3:DeleteBucketWebsite", ""},
		{"ownershipControls", "DeleteBucketOwnershipControls", "s3:PutBucketOwnershipControls", ""},
		{"encryption", "DeleteBucketEncryption", "s3:PutEncryptionConfiguration", ""},
		{"lifecycle", "DeleteBucketLifecycle", "s3:PutLifecycleConfiguration", ""},
		{"publicAccessBlock", "DeletePublicAccessBlock", "s3:PutBucketPublicAccessBlock", ""},
		{"replication", "DeleteBucketReplication", "s3:PutReplicationConfiguration", ""},
	},
	http.MethodPost: {{"delete", "DeleteObjects", "s3:DeleteObject", "s3:DeleteObjectVersion"}},
}

// operations of an object. Copies are told by a header: see operationOf.
var objectOperations = map[string][]operation{
	http.MethodGet: {
		{"", "GetObject", "s3:GetObject", "s3:GetObjectVersion"},
		{"acl", "GetObjectAcl", "s3:GetObjectAcl", "s3:GetObjectVersionAcl"},
		{"attributes", "GetObjectAttributes", "s3:GetObject", "s3:GetObjectVersion"},
		{"tagging", "GetObjectTagging", "s3:GetObjectTagging", "s3:GetObjectVersionTagging"},
		{"retention", "GetObjectRetention", "s3:GetObjectRetention", "s3:GetObjectRetention"},
		{"legal-hold", "GetObjectLegalHold", "s3:GetObjectLegalHold", "s3:GetObjectLegalHold"},
		{"uploadId", "ListParts", "s3:ListMultipartUploadParts", ""},
	},
	http.MethodHead: {{"", "HeadObject", "s3:GetObject", "s3:GetObjectVersion"}},
	http.MethodPut: {
		{"", "PutObject", "s3:PutObject", ""},
		{"uploadId", "UploadPart", "s3:PutObject", ""},
		{"acl", "PutObjectAcl", "s3:PutObjectAcl", "s3:PutObjectVersionAcl"},
		{"tagging", "PutObjectTagging", "s3:PutObjectTagging", "s3:PutObjectVersionTagging"},
		{"retention", "PutObjectRetention", "s3:PutObjectRetention", "s3:PutObjectRetention"},
		{"legal-hold", "PutObjectLegalHold", "s3:PutObjectLegalHold", "s3:PutObjectLegalHold"},
	},
	http.MethodPost: {
		{"uploads", "CreateMultipartUpload", "s3:PutObject", ""},
		{"uploadId", "CompleteMultipartUpload", "s3:PutObject", ""},
		{"select", "SelectObjectContent", "s3:GetObject", ""},
		{"restore", "RestoreObject", "s3:RestoreObject", "s3:RestoreObject"},
	},
	http.MethodDelete: {
		{"", "DeleteObject", "s3:DeleteObject", "s3:DeleteObjectVersion"},
		{"uploadId", "AbortMultipartUpload", "s3:AbortMultipartUpload", ""},
		{"tagging", "DeleteObjectTagging", "s3:DeleteObjectTagging", "s3:DeleteObjectVersionTagging"},
	},
}

// modifiers are the query parameters that select nothing. What is neither here nor selects an operation
// is refused, or what stands behind might understand more than was decided.
var modifiers = []string{
	"prefix", "delimiter", "marker", "max-keys", "encoding-type", "continuation-token", "start-after", "fetch-owner",
	"key-marker", "version-id-marker", "upload-id-marker", "max-uploads", "part-number-marker", "max-parts", "partNumber", "versionId",
	"max-buckets", "bucket-region", "select-type",
	"response-cache-control", "response-content-disposition", "response-content-encoding", "response-content-language", "response-content-type", "response-expires",
}

// notForwarded are parameters of a signature, and those that S3 leaves to its users ("x-" begins them).
func notForwarded(name string) bool {
	return len(name) > 2 && strings.EqualFold(name[:2], "x-")
}

// operationOf finds the operation that a request asks for, and the query as it goes on: known parameters,
// each once.
func operationOf(method string, t target, raw string, copying bool) (operation, url.Values, error) {
	query, err := url.ParseQuery(raw)
	if err != nil {
		return operation{}, nil, &errBadURI
	}
	table := serviceOperations
	switch {
	case t.key != "":
		table = objectOperations
	case t.bucket != "":
		table = bucketOperations
	}
	clean, subs := url.Values{}, []string{}
	for name, values := range query {
		switch {
		case notForwarded(name):
			continue
		case !slices.Contains(modifiers, name):
			subs = append(subs, name)
		}
		clean.Set(name, values[0])
	}
	slices.Sort(subs)
	if len(subs) > 1 {
		return operation{}, nil, errInvalidArgument.saying("Conflicting query string parameters: %s", strings.Join(subs, ", ")).with("ArgumentName", "ResourceType").with("ArgumentValue", subs[0])
	}
	sub := strings.Join(subs, "")
	rows := table[method]
	i := slices.IndexFunc(rows, func(o operation) bool { return o.sub == sub })
	if i < 0 {
		return operation{}, nil, notOffered(rows, sub)
	}
	o := rows[i]
	if copying && o.name == "PutObject" {
		o.name = "CopyObject"
	}
	if copying && o.name == "UploadPart" {
		o.name = "UploadPartCopy"
	}
	if clean.Get("versionId") != "" && o.versioned != "" {
		o.action = o.versioned
	}
	return o, clean, nil
}

// opaqueID is the form of ids that S3 makes for uploads and versions, and that other servers make. What
// stands behind may use one as the name of a file: nothing of it may be a path.
var opaqueID = regexp.MustCompile(`^[A-Za-z0-9._~+=-]+$`)

// maxID bounds an id, in bytes (S3 user guide, "How S3 Versioning works": "no more than 1,024 bytes").
const maxID = 1024

func opaque(id string) bool {
	return len(id) <= maxID && id != "." && id != ".." && opaqueID.MatchString(id)
}

// checkIDs refuses ids of uploads and versions that can be none.
func (x *s3Call) checkIDs() error {
	if id := x.query.Get("uploadId"); x.query.Has("uploadId") && (!opaque(id) || x.s.Gateway != nil && !x.s.Gateway.HoldsUpload(id)) {
		return errNoSuchUpload.with("UploadId", op.Clipped(id))
	}
	return x.checkVersion(x.query.Get("versionId"))
}

// checkVersion refuses versions that can be none. The gateway's buckets have one of each object, "null": it
// would delete that for any other.
func (x *s3Call) checkVersion(id string) error {
	if id == "" || id == "null" || x.s.Gateway == nil && opaque(id) {
		return nil
	}
	return errVersionID.with("ArgumentName", "versionId").with("ArgumentValue", op.Clipped(id))
}

// notOffered says why there is no such operation.
func notOffered(rows []operation, sub string) error {
	if sub == "" || rows == nil {
		return &errMethod
	}
	return errNotImplemented.saying("The query parameter %q selects nothing that is implemented here.", sub)
}
