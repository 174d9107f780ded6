// Addresses of the network that no request may reach through the server.
import { BlockList, isIP } from 'node:net'

/** IPv4 networks that are not the public internet (IANA's special-purpose registry, RFC 6890 and later). */
const private4 = [
  '0.0.0.0/8',
  '10.0.0.0/8',
  '100.64.0.0/10',
  '127.0.0.0/8',
  '169.254.0.0/16',
  '172.16.0.0/12',
  '192.0.0.0/24',
  '192.0.2.0/24',
  '192.31.196.0/24',
  '192.52.193.0/24',
  '192.88.99.0/24',
  '192.168.0.0/16',
  '192.175.48.0/24',
  '198.18.0.0/15',
  '198.51.100.0/24',
  '203.0.113.0/24',
  '224.0.0.0/4',
  '240.0.0.0/4',
]

const blocked = new BlockList()
for (const network of private4) {
  const [address, prefix] = network.split('/') as [string, string]
  blocked.addSubnet(address, Number(prefix), 'ipv4')
}
const public6 = new BlockList()
public6.addSubnet('2000::', 3, 'ipv6')
/** Parts of 2000::/3 that carry or stand for other addresses, or are for documents: Teredo, ORCHID, 6to4 and the like. */
for (const [address, prefix] of [
  ['2001::', 23],
  ['2001:db8::', 32],
  ['2002::', 16],
  ['3fff::', 20],
] as const)
  blocked.addSubnet(address, prefix, 'ipv6')

/**
 * True of an address of the public internet. Of IPv6 only global unicast is: IPv4-mapped addresses, translations (NAT64, 6to4), the loopback,
 * link-local and unique local ones are not.
 */
export function isPublicAddress(address: string): boolean {
  const family = isIP(address)
  if (family === 4) return !blocked.check(address, 'ipv4')
  if (family !== 6 || address.includes('%')) return false
  return public6.check(address, 'ipv6') && !blocked.check(address, 'ipv6')
}
