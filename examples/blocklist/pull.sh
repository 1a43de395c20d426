#!/bin/sh
# Fetches the lists of the connector and loads them into nftables. For a timer, once a minute, on the machine that filters.
#
#   LISTS_URL    where the lists are: http://connector.example:9500/lists
#   LISTS_TOKEN  the connector's CONNECTOR_LIST_TOKEN
#   LISTS_DIR    where to remember the versions; default: /var/lib/opencti-blocklist
#   NFT          the command for nftables; default: nft
#
# Exits with 0 if both sets are as the connector says. Otherwise they stay as they are, until the next time.
set -eu
: "${LISTS_URL:?is the address of the lists}" "${LISTS_TOKEN:?is the token of the lists}"
dir=${LISTS_DIR:-/var/lib/opencti-blocklist}
mkdir -p "$dir"

# The table with both sets, if it is not there yet; sets that are there keep what they have.
nft_() { ${NFT:-nft} "$@"; }
nft_ list table inet opencti >/dev/null 2>&1 || {
  # The kernel has forgotten the sets, so forget which versions they had.
  rm -f "$dir"/*.etag
  nft_ -f - <<'RULES'
table inet opencti {
  set ipv4 { type ipv4_addr; flags interval; auto-merge; }
  set ipv6 { type ipv6_addr; flags interval; auto-merge; }
  chain inbound { type filter hook prerouting priority -300; ip saddr @ipv4 drop; ip6 saddr @ipv6 drop; }
  chain outbound { type filter hook postrouting priority -300; ip daddr @ipv4 drop; ip6 daddr @ipv6 drop; }
}
RULES
}

for list in ipv4 ipv6; do
  etag=$dir/$list.etag
  # The token is not an argument, which everyone on this machine could see.
  status=$(printf 'header = "authorization: Bearer %s"\n' "$LISTS_TOKEN" |
    curl --config - --silent --show-error --fail --compressed --max-time 60 --write-out '%{http_code}' \
      --etag-compare "$etag" --etag-save "$etag.new" --output "$dir/$list" "$LISTS_URL/$list")
  [ "$status" = 304 ] && continue
  {
    echo "flush set inet opencti $list"
    [ ! -s "$dir/$list" ] || echo "add element inet opencti $list { $(paste -s -d, "$dir/$list") }"
  } >"$dir/$list.nft"
  # One transaction: packets see the former set or the new one.
  nft_ --check -f "$dir/$list.nft"
  nft_ -f "$dir/$list.nft"
  mv "$etag.new" "$etag"
  echo "loaded $list: $(wc -l <"$dir/$list") lines"
done
