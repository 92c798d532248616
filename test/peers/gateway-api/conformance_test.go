// The Gateway API's own conformance suite, as its documentation says to run it.
package conformance

import (
	"testing"

	suite "sigs.k8s.io/gateway-api/conformance"
)

func TestConformance(t *testing.T) { suite.RunConformance(t) }
