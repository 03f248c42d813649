import { BlockList, isIP } from "node:net";

/**
 * Addresses of the public internet. IPv4: all but those that IANA's registry of special-purpose addresses keeps for something
 * else. IPv6: what is given out (`2000::/3`) and nothing else, so that mapped, translated, local and multicast addresses are
 * no way around the list of IPv4.
 */
const special4: readonly (readonly [string, number])[] = [
	["0.0.0.0", 8],
	["10.0.0.0", 8],
	["100.64.0.0", 10],
	["127.0.0.0", 8],
	["169.254.0.0", 16],
	["172.16.0.0", 12],
	["192.0.0.0", 24],
	["192.0.2.0", 24],
	["192.31.196.0", 24],
	["192.52.193.0", 24],
	["192.88.99.0", 24],
	["192.168.0.0", 16],
	["192.175.48.0", 24],
	["198.18.0.0", 15],
	["198.51.100.0", 24],
	["203.0.113.0", 24],
	["224.0.0.0", 4],
	["240.0.0.0", 4],
];
const given6 = ["2000::", 3] as const;
/** Of those: the IETF's own (Teredo among them), documentation, and 6to4, which holds an address of IPv4. */
const special6: readonly (readonly [string, number])[] = [
	["2001::", 23],
	["2001:db8::", 32],
	["2002::", 16],
	["2620:4f:8000::", 48],
	["3fff::", 20],
];

const refused = new BlockList();
for (const [address, bits] of special4) refused.addSubnet(address, bits, "ipv4");
for (const [address, bits] of special6) refused.addSubnet(address, bits, "ipv6");
const given = new BlockList();
given.addSubnet(...given6, "ipv6");

/** Shape: an address as text, without a zone. Whatever is none is not public. */
export function isPublicAddress(address: string): boolean {
	const version = isIP(address);
	if (version === 4) return !refused.check(address, "ipv4");
	if (version !== 6 || address.includes("%")) return false;
	return given.check(address, "ipv6") && !refused.check(address, "ipv6");
}
