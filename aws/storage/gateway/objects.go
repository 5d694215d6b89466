package gateway

import (
	"context"

	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"
	"github.com/versity/versitygw/backend"
	"github.com/versity/versitygw/s3err"
	"github.com/versity/versitygw/s3response"
)

// Objects, each called by its bucket's absolute name.

// onlyVersion is what the one version of an object is called where versions were never on (S3 user guide,
// "Deleting object versions from a versioning-enabled bucket").
const onlyVersion = "null"

// another reports a version that no object has here.
func another(version string) bool { return version != "" && version != onlyVersion }

func (r *rooted) PutObject(ctx context.Context, in s3response.PutObjectInput) (s3response.PutObjectOutput, error) {
	in.Bucket, in.Body = r.at(in.Bucket), entire(in.Body, in.ContentLength)
	out, err := r.disk.PutObject(ctx, in)
	return out, r.told(err)
}

func (r *rooted) HeadObject(ctx context.Context, in *s3.HeadObjectInput) (*s3.HeadObjectOutput, error) {
	v := *in
	v.Bucket = r.at(in.Bucket)
	out, err := r.disk.HeadObject(ctx, &v)
	return out, r.told(err)
}

func (r *rooted) GetObject(ctx context.Context, in *s3.GetObjectInput) (*s3.GetObjectOutput, error) {
	v := *in
	v.Bucket = r.at(in.Bucket)
	out, err := r.disk.GetObject(ctx, &v)
	return out, r.told(err)
}

func (r *rooted) GetObjectAttributes(ctx context.Context, in *s3.GetObjectAttributesInput) (s3response.GetObjectAttributesResponse, error) {
	v := *in
	v.Bucket = r.at(in.Bucket)
	out, err := r.disk.GetObjectAttributes(ctx, &v)
	return out, r.told(err)
}

func (r *rooted) CopyObject(ctx context.Context, in s3response.CopyObjectInput) (s3response.CopyObjectOutput, error) {
	source, err := r.source(in.CopySource)
	if err != nil {
		return s3response.CopyObjectOutput{}, err
	}
	in.Bucket, in.CopySource = r.at(in.Bucket), source
	out, err := r.disk.CopyObject(ctx, in)
	return out, r.told(err)
}

func (r *rooted) ListObjects(ctx context.Context, in *s3.ListObjectsInput) (s3response.ListObjectsResult, error) {
	v := *in
	v.Bucket = r.at(in.Bucket)
	out, err := r.disk.ListObjects(ctx, &v)
	out.Name = r.named(out.Name)
	return out, r.told(err)
}

func (r *rooted) ListObjectsV2(ctx context.Context, in *s3.ListObjectsV2Input) (s3response.ListObjectsV2Result, error) {
	v := *in
	v.Bucket = r.at(in.Bucket)
	out, err := r.disk.ListObjectsV2(ctx, &v)
	out.Name = r.named(out.Name)
	return out, r.told(err)
}

func (r *rooted) ListObjectVersions(ctx context.Context, in *s3.ListObjectVersionsInput) (s3response.ListVersionsResult, error) {
	v := *in
	v.Bucket = r.at(in.Bucket)
	out, err := r.disk.ListObjectVersions(ctx, &v)
	out.Name = r.named(out.Name)
	return out, r.told(err)
}

// DeleteObject deletes the one version that there is. For any other the backend would delete that.
func (r *rooted) DeleteObject(ctx context.Context, in *s3.DeleteObjectInput) (*s3.DeleteObjectOutput, error) {
	if version := backend.GetStringFromPtr(in.VersionId); another(version) {
		return nil, s3err.GetInvalidArgumentErr(s3err.InvalidArgVersionId, version)
	}
	v := *in
	v.Bucket = r.at(in.Bucket)
	out, err := r.disk.DeleteObject(ctx, &v)
	return out, r.told(err)
}

func (r *rooted) DeleteObjects(ctx context.Context, in *s3.DeleteObjectsInput) (s3response.DeleteResult, error) {
	for _, o := range in.Delete.Objects {
		if version := backend.GetStringFromPtr(o.VersionId); another(version) {
			return s3response.DeleteResult{}, s3err.GetInvalidArgumentErr(s3err.InvalidArgVersionId, version)
		}
	}
	v := *in
	v.Bucket = r.at(in.Bucket)
	out, err := r.disk.DeleteObjects(ctx, &v)
	return out, r.told(err)
}

func (r *rooted) GetObjectTagging(ctx context.Context, bucket, object, version string) (map[string]string, error) {
	if err := r.exact(bucket, object); err != nil {
		return nil, err
	}
	out, err := r.disk.GetObjectTagging(ctx, r.path(bucket), object, version)
	return out, r.told(err)
}

func (r *rooted) PutObjectTagging(ctx context.Context, bucket, object, version string, tags map[string]string) error {
	if err := r.exact(bucket, object); err != nil {
		return err
	}
	return r.told(r.disk.PutObjectTagging(ctx, r.path(bucket), object, version, tags))
}

func (r *rooted) DeleteObjectTagging(ctx context.Context, bucket, object, version string) error {
	if err := r.exact(bucket, object); err != nil {
		return err
	}
	return r.told(r.disk.DeleteObjectTagging(ctx, r.path(bucket), object, version))
}

func (r *rooted) PutObjectRetention(ctx context.Context, bucket, object, version string, v []byte) error {
	if err := r.exact(bucket, object); err != nil {
		return err
	}
	return r.told(r.disk.PutObjectRetention(ctx, r.path(bucket), object, version, v))
}

func (r *rooted) GetObjectRetention(ctx context.Context, bucket, object, version string) ([]byte, error) {
	if err := r.exact(bucket, object); err != nil {
		return nil, err
	}
	out, err := r.disk.GetObjectRetention(ctx, r.path(bucket), object, version)
	return out, r.told(err)
}

func (r *rooted) PutObjectLegalHold(ctx context.Context, bucket, object, version string, on bool) error {
	if err := r.exact(bucket, object); err != nil {
		return err
	}
	return r.told(r.disk.PutObjectLegalHold(ctx, r.path(bucket), object, version, on))
}

func (r *rooted) GetObjectLegalHold(ctx context.Context, bucket, object, version string) (*bool, error) {
	if err := r.exact(bucket, object); err != nil {
		return nil, err
	}
	out, err := r.disk.GetObjectLegalHold(ctx, r.path(bucket), object, version)
	return out, r.told(err)
}

// Multipart uploads.

// upload refuses ids that the backend has not made.
func (r *rooted) upload(id *string) error {
	if id == nil || !uploadID.MatchString(*id) {
		return s3err.GetNoSuchUploadErr(backend.GetStringFromPtr(id))
	}
	return nil
}

func (r *rooted) CreateMultipartUpload(ctx context.Context, in s3response.CreateMultipartUploadInput) (s3response.InitiateMultipartUploadResult, error) {
	in.Bucket = r.at(in.Bucket)
	out, err := r.disk.CreateMultipartUpload(ctx, in)
	out.Bucket = r.name(out.Bucket)
	return out, r.told(err)
}

func (r *rooted) CompleteMultipartUpload(ctx context.Context, in *s3.CompleteMultipartUploadInput) (s3response.CompleteMultipartUploadResult, string, error) {
	if err := r.upload(in.UploadId); err != nil {
		return s3response.CompleteMultipartUploadResult{}, "", err
	}
	v := *in
	v.Bucket = r.at(in.Bucket)
	out, version, err := r.disk.CompleteMultipartUpload(ctx, &v)
	out.Bucket = r.named(out.Bucket)
	return out, version, r.told(err)
}

func (r *rooted) AbortMultipartUpload(ctx context.Context, in *s3.AbortMultipartUploadInput) error {
	if err := r.upload(in.UploadId); err != nil {
		return err
	}
	v := *in
	v.Bucket = r.at(in.Bucket)
	return r.told(r.disk.AbortMultipartUpload(ctx, &v))
}

func (r *rooted) ListMultipartUploads(ctx context.Context, in *s3.ListMultipartUploadsInput) (s3response.ListMultipartUploadsResult, error) {
	v := *in
	v.Bucket = r.at(in.Bucket)
	out, err := r.disk.ListMultipartUploads(ctx, &v)
	out.Bucket = r.name(out.Bucket)
	return out, r.told(err)
}

func (r *rooted) ListParts(ctx context.Context, in *s3.ListPartsInput) (s3response.ListPartsResult, error) {
	if err := r.upload(in.UploadId); err != nil {
		return s3response.ListPartsResult{}, err
	}
	v := *in
	v.Bucket = r.at(in.Bucket)
	out, err := r.disk.ListParts(ctx, &v)
	out.Bucket = r.name(out.Bucket)
	return out, r.told(err)
}

func (r *rooted) UploadPart(ctx context.Context, in *s3.UploadPartInput) (*s3.UploadPartOutput, error) {
	if err := r.upload(in.UploadId); err != nil {
		return nil, err
	}
	v := *in
	v.Bucket, v.Body = r.at(in.Bucket), entire(in.Body, in.ContentLength)
	out, err := r.disk.UploadPart(ctx, &v)
	return out, r.told(err)
}

func (r *rooted) UploadPartCopy(ctx context.Context, in *s3.UploadPartCopyInput) (s3response.CopyPartResult, error) {
	if err := r.upload(in.UploadId); err != nil {
		return s3response.CopyPartResult{}, err
	}
	source, err := r.source(in.CopySource)
	if err != nil {
		return s3response.CopyPartResult{}, err
	}
	v := *in
	v.Bucket, v.CopySource = r.at(in.Bucket), source
	out, err := r.disk.UploadPartCopy(ctx, &v)
	return out, r.told(err)
}

// GetObjectAcl: ACLs are off (S3 user guide, "Bucket owner enforced"); the owner has full control.
func (r *rooted) GetObjectAcl(ctx context.Context, in *s3.GetObjectAclInput) (*s3.GetObjectAclOutput, error) {
	if _, err := r.HeadObject(ctx, &s3.HeadObjectInput{Bucket: in.Bucket, Key: in.Key}); err != nil {
		return nil, err
	}
	owner, err := r.owner(*in.Bucket)
	if err != nil {
		return nil, r.told(err)
	}
	return &s3.GetObjectAclOutput{
		Owner:  &types.Owner{ID: &owner},
		Grants: []types.Grant{{Grantee: &types.Grantee{ID: &owner, Type: types.TypeCanonicalUser}, Permission: types.PermissionFullControl}},
	}, nil
}

func (r *rooted) PutObjectAcl(context.Context, *s3.PutObjectAclInput) error {
	return s3err.GetAPIError(s3err.ErrAclNotSupported)
}
