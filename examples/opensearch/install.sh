#!/usr/bin/env bash
# Collects OpenSearch from Maven Central into a folder of the user's cache and prints its name. Does nothing if it is there.
# The jars are the whole server, without the plugins that only OpenSearch's own bundle has, such as security.
set -euo pipefail
version=2.19.6
home="${XDG_CACHE_HOME:-$HOME/.cache}/opencti-stream-connector/opensearch-$version"
if [ -e "$home/modules/transport-netty4/plugin-security.policy" ]; then
  echo "$home"
  exit
fi
command -v mvn >/dev/null || {
  echo "Maven is not installed. Install it: apt-get install maven openjdk-17-jre-headless" >&2
  exit 1
}
mkdir -p "$(dirname "$home")"
work=$(mktemp -d "$home.XXXXXX")
trap 'rm -rf "$work"' EXIT
cat >"$work/pom.xml" <<XML
<project xmlns="http://maven.apache.org/POM/4.0.0">
  <modelVersion>4.0.0</modelVersion>
  <groupId>local</groupId><artifactId>opensearch-home</artifactId><version>1</version><packaging>pom</packaging>
  <dependencies>
    <dependency><groupId>org.opensearch</groupId><artifactId>opensearch</artifactId><version>$version</version></dependency>
    <dependency><groupId>org.opensearch</groupId><artifactId>opensearch-plugin-classloader</artifactId><version>$version</version></dependency>
    <dependency><groupId>org.opensearch.plugin</groupId><artifactId>transport-netty4-client</artifactId><version>$version</version></dependency>
    <dependency><groupId>org.apache.logging.log4j</groupId><artifactId>log4j-core</artifactId><version>2.25.4</version></dependency>
  </dependencies>
</project>
XML
mvn --batch-mode --quiet --file "$work/pom.xml" dependency:copy-dependencies -DincludeScope=runtime "-DoutputDirectory=$work/lib" >&2
rm "$work/pom.xml"
module="$work/modules/transport-netty4"
mkdir -p "$module" "$work"/{agent,bin,config,extensions,plugins}
mv "$work"/lib/netty-* "$work"/lib/transport-netty4-client-* "$module"
cat >"$module/plugin-descriptor.properties" <<PROPERTIES
name=transport-netty4
description=HTTP and transport
version=$version
classname=org.opensearch.transport.Netty4Plugin
java.version=11
opensearch.version=$version
extended.plugins=
has.native.controller=false
PROPERTIES
cat >"$module/plugin-security.policy" <<'POLICY'
grant {
  permission java.net.SocketPermission "*", "accept,connect";
};
POLICY
mv -T "$work" "$home" 2>/dev/null || true # another one was faster
echo "$home"
