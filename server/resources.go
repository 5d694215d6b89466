package server

import (
	"net/http"

	"github.com/treatyfed/treaty/aws/storage"
	"github.com/treatyfed/treaty/aws/storage/gateway"
	"github.com/treatyfed/treaty/server/config"
	"github.com/treatyfed/treaty/server/names"
)

// resources adds the storage that is configured to the surfaces.
func (s *Server) resources(surfaces map[names.Surface]http.Handler) error {
	surfaces[names.S3] = absent("application/xml", `<?xml version="1.0" encoding="UTF-8"?>`+"\n"+`<Error><Code>NotImplemented</Code><Message>Treaty serves no S3 here: see resources.s3 of its configuration.</Message></Error>`)
	surfaces[names.DynamoDB] = absent("application/x-amz-json-1.0", `{"__type":"com.amazon.coral.service#NotImplementedException","message":"Treaty serves no DynamoDB here: name an endpoint in resources.dynamodb of its configuration."}`)
	if s.config.S3On() {
		s3 := &storage.S3{Access: s.access, Audit: s.store.Audit, Region: s.config.Region, Now: s.clock.Now, Wall: realNow, Log: s.log}
		behind, err := s.config.Resources.S3.Behind()
		if err != nil {
			return err
		}
		if behind != nil {
			s3.Endpoint = s.endpoint(behind)
		} else {
			s.objects = &gateway.Gateway{Folder: s.objectFolder(), Rand: s.rand, Log: s.log}
			s3.Gateway = s.objects
		}
		surfaces[names.S3] = s3
	}
	behind, err := s.config.Resources.DynamoDB.Behind()
	if err != nil || behind == nil {
		return err
	}
	surfaces[names.DynamoDB] = &storage.DynamoDB{
		Endpoint: s.endpoint(behind), Access: s.access, Audit: s.store.Audit, Region: s.config.Region, Now: s.clock.Now, Wall: realNow, Log: s.log,
	}
	return nil
}

func (s *Server) endpoint(b *config.Behind) *storage.Endpoint {
	region := b.Region
	if region == "" {
		region = s.config.Region
	}
	return &storage.Endpoint{URL: b.URL, Region: region, AccessKeyID: b.AccessKeyID, SecretAccessKey: b.SecretAccessKey, Account: b.Account, Wall: realNow}
}

// objectFolder is where S3 keeps its objects: as configured, else in the data folder, else, of a server that
// keeps nothing, in a temporary one.
func (s *Server) objectFolder() string {
	switch {
	case s.objectsAt != "":
		return s.objectsAt
	case s.folder == nil:
		return ""
	}
	return s.folder.Path("s3")
}

// absent answers for storage that is not configured.
func absent(contentType, body string) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", contentType)
		w.WriteHeader(http.StatusNotImplemented)
		_, _ = w.Write([]byte(body)) // the client may have gone
	})
}
