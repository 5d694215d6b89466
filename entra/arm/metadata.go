package arm

import (
	"net/http"
	"strings"

	"github.com/treatyfed/treaty/wire/rest"
)

func isMetadata(path string) bool { return is(strings.TrimRight(path, "/"), "/metadata/endpoints") }

// serveMetadata describes this cloud to az, Terraform and the SDKs, to anybody. Its shape depends on the
// api-version: before 2018 one flat object, from then on a list of clouds, from 2022-09-01 one cloud.
// Services that are not Treaty's keep the public cloud's names.
func (s *Service) serveMetadata(w http.ResponseWriter, r *http.Request) {
	if r.Method != http.MethodGet && r.Method != http.MethodHead {
		s.fail(w, r, methodNotAllowed(r.Method))
		return
	}
	version, err := versionOf(r)
	if err != nil {
		s.fail(w, r, err)
		return
	}
	if !metadataVersion(version) {
		s.fail(w, r, errorf(400, "InvalidApiVersionParameter", "The api-version '%s' is invalid. The supported versions are '%s'.", version, strings.Join(metadataVersions, ",")))
		return
	}
	c := s.cloud(r)
	switch {
	case version < "2018":
		_ = rest.Write(w, 200, flatCloud{c.Gallery, c.Graph, c.Portal, c.GraphAudience, c.Authentication})
	case version < "2022-09-01":
		_ = rest.Write(w, 200, []cloud{c})
	default:
		_ = rest.Write(w, 200, c)
	}
}

var metadataVersions = versions(`2015-01-01 2015-11-01 2016-02-01 2017-05-10 2018-05-01 2018-11-01 2019-05-01 2019-10-01 2020-01-01
	2020-06-01 2021-04-01 2022-01-01 2022-09-01 2022-12-01 2023-07-01 2024-03-01 2024-11-01 2025-03-01`)

func metadataVersion(v string) bool {
	for _, known := range metadataVersions {
		if v == known {
			return true
		}
	}
	return false
}

type authentication struct {
	LoginEndpoint    string   `json:"loginEndpoint"`
	Audiences        []string `json:"audiences"`
	Tenant           string   `json:"tenant"`
	IdentityProvider string   `json:"identityProvider"`
}

// flatCloud is the document of api-version 2015-01-01.
type flatCloud struct {
	Gallery        string         `json:"galleryEndpoint"`
	Graph          string         `json:"graphEndpoint"`
	Portal         string         `json:"portalEndpoint"`
	GraphAudience  string         `json:"graphAudience"`
	Authentication authentication `json:"authentication"`
}

// cloud is the document of api-version 2022-09-01 and an entry of that of 2019-05-01.
type cloud struct {
	Portal         string            `json:"portal"`
	Authentication authentication    `json:"authentication"`
	Media          string            `json:"media"`
	GraphAudience  string            `json:"graphAudience"`
	Graph          string            `json:"graph"`
	Name           string            `json:"name"`
	Suffixes       map[string]string `json:"suffixes"`
	Batch          string            `json:"batch"`
	ARM            string            `json:"resourceManager"`
	ImageAliases   string            `json:"vmImageAliasDoc"`
	DataLake       string            `json:"activeDirectoryDataLake"`
	SQL            string            `json:"sqlManagement"`
	MicrosoftGraph string            `json:"microsoftGraphResourceId"`
	Insights       string            `json:"appInsightsResourceId"`
	Telemetry      string            `json:"appInsightsTelemetryChannelResourceId"`
	Attestation    string            `json:"attestationResourceId"`
	Synapse        string            `json:"synapseAnalyticsResourceId"`
	LogAnalytics   string            `json:"logAnalyticsResourceId"`
	OSSRDBMS       string            `json:"ossrDbmsResourceId"`
	Gallery        string            `json:"gallery"`
}

// cloud fills in our names. Asked by another name than our own, say a loopback address, it points ARM and
// the sign-in there, too: one listener serves all.
func (s *Service) cloud(r *http.Request) cloud {
	arm, login := s.base(r), s.Authority
	own := strings.TrimSuffix(s.ARMURL, "/")
	if arm != own {
		login = arm
	}
	audiences := []string{"https://management.core.windows.net/", "https://management.azure.com/"}
	if own != "https://management.azure.com" {
		audiences = []string{own + "/"}
	}
	c := cloud{
		Portal:         "https://portal.azure.com",
		Authentication: authentication{login, audiences, "common", "AAD"},
		Media:          "https://rest.media.azure.net", GraphAudience: "https://graph.windows.net/", Graph: "https://graph.windows.net/",
		Name: s.CloudName, Batch: "https://batch.core.windows.net/", ARM: arm + "/",
		ImageAliases:   "https://raw.githubusercontent.com/Azure/azure-rest-api-specs/main/arm-compute/quickstart-templates/aliases.json",
		DataLake:       "https://datalake.azure.net/",
		SQL:            "https://management.core.windows.net:8443/",
		MicrosoftGraph: strings.TrimSuffix(s.GraphURL, "/") + "/",
		Insights:       "https://api.applicationinsights.io",
		Telemetry:      "https://dc.applicationinsights.azure.com/v2/track",
		Attestation:    "https://attest.azure.net",
		Synapse:        "https://dev.azuresynapse.net",
		LogAnalytics:   "https://api.loganalytics.io",
		OSSRDBMS:       "https://ossrdbms-aad.database.windows.net",
		Gallery:        "https://gallery.azure.com/",
		Suffixes: map[string]string{
			"acrLoginServer": "azurecr.io", "attestationEndpoint": "attest.azure.net", "azureDataLakeAnalyticsCatalogAndJob": "azuredatalakeanalytics.net",
			"azureDataLakeStoreFileSystem": "azuredatalakestore.net", "azureFrontDoorEndpointSuffix": "azurefd.net", "keyVaultDns": "vault.azure.net",
			"mariadbServerEndpoint": "mariadb.database.azure.com", "mhsmDns": "managedhsm.azure.net", "mysqlServerEndpoint": "mysql.database.azure.com",
			"postgresqlServerEndpoint": "postgres.database.azure.com", "sqlServerHostname": "database.windows.net", "storage": "core.windows.net",
			"storageSyncEndpointSuffix": "afs.azure.net", "synapseAnalytics": "dev.azuresynapse.net",
		},
	}
	if c.Name == "" {
		c.Name = "AzureCloud"
	}
	return c
}
