// Package treaty is the root of Treaty: cross-cloud identity federation between AWS and Microsoft Entra ID.
//
// There is no code here. ARCHITECTURE.md says how the house is built; house_test.go beside this file holds
// every package to it. The program is cmd/treaty; other people's tests start a server with treatytest.
package treaty
