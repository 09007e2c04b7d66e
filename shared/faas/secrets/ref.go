package secrets

import "strings"

// A Ref names a secret by its ARN, or by its name in the region of the function.
type Ref struct {
	id     string
	region string
}

// String returns the ARN or the name. Neither is a secret.
func (r Ref) String() string { return r.id }

// host returns the host name of Secrets Manager in the secret's region.
func (r Ref) host() string {
	domain := "amazonaws.com"
	if partition(r.region) == "aws-cn" {
		domain += ".cn"
	}
	return "secretsmanager." + r.region + "." + domain
}

const maxName = 512 + len("-AbCdEf") // of a secret; ARNs add six random characters

// parseRef parses an ARN, or a name that is looked up in region.
func parseRef(s, region string) (Ref, bool) {
	name := s
	if strings.HasPrefix(s, "arn:") {
		part := strings.SplitN(s, ":", 7)
		if len(part) < 7 || part[2] != "secretsmanager" || part[5] != "secret" ||
			!only(part[4], digits) || part[1] != partition(part[3]) {
			return Ref{}, false
		}
		region, name = part[3], part[6]
	}
	ok := only(region, lower+digits+"-") && only(name, lower+upper+digits+"/_+=.@-") && len(name) <= maxName
	return Ref{s, region}, ok
}

// partition returns the AWS partition of a region: commercial, China or US government.
// Other partitions are not supported.
func partition(region string) string {
	switch {
	case strings.HasPrefix(region, "cn-"):
		return "aws-cn"
	case strings.HasPrefix(region, "us-gov-"):
		return "aws-us-gov"
	}
	return "aws"
}

const (
	lower  = "abcdefghijklmnopqrstuvwxyz"
	upper  = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
	digits = "0123456789"
)

// only reports whether s is not empty and contains only characters of set.
func only(s, set string) bool { return s != "" && strings.Trim(s, set) == "" }
