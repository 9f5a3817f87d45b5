#!/usr/bin/env bash
# The benchmark's resource set as a shell script would make it: one aws CLI call after the other.
#   aws_cli.sh AWS PREFIX MODEL TOKENIZER FUNCTION.zip
set -euo pipefail
aws=$1 p=$2 model=$3 tokenizer=$4 zip=$5
domain=bench.akidb.com m=$p-models r=$p-models-replica
call() { "$aws" --output text "$@"; }
quiet() { call "$@" >/dev/null; }
trust() { printf '{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"Service":%s},"Action":"sts:AssumeRole"}]}' "$1"; }
allow() { printf '{"Version":"2012-10-17","Statement":[%s]}' "$1"; }

replication=$(call iam create-role --role-name "$p-replication" --assume-role-policy-document "$(trust '"s3.amazonaws.com"')" --query Role.Arn)
quiet iam put-role-policy --role-name "$p-replication" --policy-name inline --policy-document "$(allow '
  {"Effect":"Allow","Action":["s3:GetReplicationConfiguration","s3:ListBucket"],"Resource":"arn:aws:s3:::'"$m"'"},
  {"Effect":"Allow","Action":["s3:GetObjectVersionForReplication","s3:GetObjectVersionAcl","s3:GetObjectVersionTagging"],"Resource":"arn:aws:s3:::'"$m"'/*"},
  {"Effect":"Allow","Action":["s3:ReplicateObject","s3:ReplicateDelete","s3:ReplicateTags"],"Resource":"arn:aws:s3:::'"$r"'/*"}')"
role=$(call iam create-role --role-name "$p-gateway" --assume-role-policy-document "$(trust '["lambda.amazonaws.com","edgelambda.amazonaws.com"]')" --query Role.Arn)
quiet iam put-role-policy --role-name "$p-gateway" --policy-name inline --policy-document "$(allow '
  {"Effect":"Allow","Action":["logs:CreateLogGroup","logs:CreateLogStream","logs:PutLogEvents"],"Resource":"arn:aws:logs:*:*:*"}')"
quiet s3api create-bucket --bucket "$m"
quiet s3api put-bucket-versioning --bucket "$m" --versioning-configuration Status=Enabled
quiet s3api create-bucket --bucket "$r" --region eu-central-1 --create-bucket-configuration LocationConstraint=eu-central-1
quiet s3api put-bucket-versioning --bucket "$r" --region eu-central-1 --versioning-configuration Status=Enabled
quiet s3api put-bucket-replication --bucket "$m" --replication-configuration '{"Role":"'"$replication"'","Rules":[{"ID":"to-eu",
  "Priority":1,"Status":"Enabled","Filter":{"Prefix":""},"DeleteMarkerReplication":{"Status":"Enabled"},"Destination":{
  "Bucket":"arn:aws:s3:::'"$r"'","ReplicationTime":{"Status":"Enabled","Time":{"Minutes":15}},
  "Metrics":{"Status":"Enabled","EventThreshold":{"Minutes":15}}}}]}'
key=models/all-MiniLM-L6-v2
quiet s3api put-object --bucket "$m" --key $key/model.onnx --body "$model"
quiet s3api put-object --bucket "$m" --key $key/tokenizer.json --body "$tokenizer" --content-type application/json
pointer=$(mktemp); trap 'rm -f "$pointer"' EXIT
echo '{"model":"'$key'/model.onnx"}' >"$pointer"
quiet s3api put-object --bucket "$m" --key $key/latest.json --body "$pointer" --content-type application/json
quiet lambda create-function --function-name "$p-gateway" --runtime nodejs24.x --role "$role" --handler index.handler \
  --zip-file "fileb://$zip" --memory-size 128 --timeout 5
quiet lambda wait function-active-v2 --function-name "$p-gateway"
version=$(call lambda publish-version --function-name "$p-gateway" --query FunctionArn)
access=$(call cloudfront create-origin-access-control --query OriginAccessControl.Id --origin-access-control-config \
  "Name=$m,SigningProtocol=sigv4,SigningBehavior=always,OriginAccessControlOriginType=s3")
cache=$(call cloudfront create-cache-policy --query CachePolicy.Id --cache-policy-config '{"Name":"'"$p"'-embeddings","MinTTL":0,
  "DefaultTTL":86400,"MaxTTL":31536000,"ParametersInCacheKeyAndForwardedToOrigin":{"EnableAcceptEncodingGzip":true,
  "EnableAcceptEncodingBrotli":true,"HeadersConfig":{"HeaderBehavior":"none"},"CookiesConfig":{"CookieBehavior":"none"},
  "QueryStringsConfig":{"QueryStringBehavior":"whitelist","QueryStrings":{"Quantity":3,"Items":["input","model","version"]}}}}')
custom() { printf '{"Id":"%s","DomainName":"origin-%s.%s","CustomOriginConfig":{"HTTPPort":80,"HTTPSPort":443,
  "OriginProtocolPolicy":"https-only","OriginSslProtocols":{"Quantity":1,"Items":["TLSv1.2"]}}}' "$1" "$1" $domain; }
read='"AllowedMethods":{"Quantity":2,"Items":["GET","HEAD"],"CachedMethods":{"Quantity":2,"Items":["GET","HEAD"]}},"Compress":true'
every='"AllowedMethods":{"Quantity":7,"Items":["GET","HEAD","OPTIONS","PUT","POST","PATCH","DELETE"],
  "CachedMethods":{"Quantity":2,"Items":["GET","HEAD"]}},"Compress":true'
distribution=$(call cloudfront create-distribution --query Distribution.ARN --distribution-config '{"CallerReference":"'"$p"'",
  "Comment":"'"$p"'","Enabled":true,"PriceClass":"PriceClass_200","Origins":{"Quantity":4,"Items":[
  '"$(custom us-east-1),$(custom eu-central-1),$(custom ap-northeast-1)"',{"Id":"models",
  "DomainName":"'"$m"'.s3.us-east-1.amazonaws.com","OriginAccessControlId":"'"$access"'","S3OriginConfig":{"OriginAccessIdentity":""}}]},
  "OriginGroups":{"Quantity":1,"Items":[{"Id":"reads","FailoverCriteria":{"StatusCodes":{"Quantity":4,"Items":[500,502,503,504]}},
  "Members":{"Quantity":2,"Items":[{"OriginId":"us-east-1"},{"OriginId":"eu-central-1"}]}}]},
  "DefaultCacheBehavior":{"TargetOriginId":"reads","ViewerProtocolPolicy":"redirect-to-https","CachePolicyId":"'"$cache"'",'"$read"'},
  "CacheBehaviors":{"Quantity":2,"Items":[{"PathPattern":"/api/v1/embed","TargetOriginId":"us-east-1",
  "ViewerProtocolPolicy":"https-only","CachePolicyId":"4135ea2d-6df8-44a3-9df3-4b5a84be39ad",
  "OriginRequestPolicyId":"b689b0a8-53d0-40ab-baf2-68738e2966ac","LambdaFunctionAssociations":{"Quantity":1,"Items":[
  {"LambdaFunctionARN":"'"$version"'","EventType":"origin-request","IncludeBody":true}]},'"$every"'},
  {"PathPattern":"/models/*","TargetOriginId":"models","ViewerProtocolPolicy":"redirect-to-https",
  "CachePolicyId":"658327ea-f89d-4fab-a63d-7e88639e58f6",'"$read"'}]}}')
quiet s3api put-bucket-policy --bucket "$m" --policy "$(allow '{"Effect":"Allow","Principal":{"Service":"cloudfront.amazonaws.com"},
  "Action":"s3:GetObject","Resource":"arn:aws:s3:::'"$m"'/*","Condition":{"StringEquals":{"AWS:SourceArn":"'"$distribution"'"}}}')"
zone=$(call route53 create-hosted-zone --name $domain --caller-reference "$p" --query HostedZone.Id)
for region in us-east-1 eu-central-1 ap-northeast-1; do
  check=$(call route53 create-health-check --caller-reference "$p-$region" --query HealthCheck.Id --health-check-config '{"Type":"HTTPS",
    "FullyQualifiedDomainName":"origin-'$region.$domain'","Port":443,"ResourcePath":"/ready","RequestInterval":30,"FailureThreshold":3}')
  quiet route53 change-tags-for-resource --resource-type healthcheck --resource-id "$check" --add-tags "Key=Name,Value=$p-$region" "Key=akidb:stack,Value=$p"
done
alias() { # name, label, region, load balancer's zone, how it is routed
  printf '{"Action":"UPSERT","ResourceRecordSet":{"Name":"%s.%s","Type":"A","SetIdentifier":"%s",%s,"AliasTarget":{"HostedZoneId":"%s",
    "EvaluateTargetHealth":true,"DNSName":"akidb-rest-%s-1.%s.elb.amazonaws.com"}}}' "$1" $domain "$2" "$5" "$4" "$3" "$3"; }
us=Z35SXDOTRQ7X7K eu=Z215JYRZR1TBD5 ap=Z14GRHDCWA56QT
quiet route53 change-resource-record-sets --hosted-zone-id "${zone##*/}" --change-batch '{"Changes":['"$(
  alias api US-East us-east-1 $us '"GeoLocation":{"ContinentCode":"NA"}'),$(
  alias api EU-Central eu-central-1 $eu '"GeoLocation":{"ContinentCode":"EU"}'),$(
  alias api AP-Northeast ap-northeast-1 $ap '"GeoLocation":{"ContinentCode":"AS"}'),$(
  alias api Default us-east-1 $us '"GeoLocation":{"CountryCode":"*"}'),$(
  alias api-latency US-East-Latency us-east-1 $us '"Region":"us-east-1"'),$(
  alias api-latency EU-Central-Latency eu-central-1 $eu '"Region":"eu-central-1"'),$(
  alias api-latency AP-Northeast-Latency ap-northeast-1 $ap '"Region":"ap-northeast-1"')"']}'
