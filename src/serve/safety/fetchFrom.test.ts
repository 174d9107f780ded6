import { createServer, type RequestListener, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import fc from 'fast-check'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { isPublicAddress } from './addresses.ts'
import { type FetchOptions, fetcherFrom } from './fetchFrom.ts'

let server: Server
let port: number
let asked: string[] = []

const answers: Record<string, RequestListener> = {
  '/owl.png': (_, response) => response.end('picture'),
  '/missing.png': (_, response) => response.writeHead(404).end(),
  '/there': (_, response) => response.writeHead(302, { location: '/owl.png' }).end(),
  '/elsewhere': (_, response) =>
    response.writeHead(302, { location: `http://other.example:${port}/owl.png` }).end(),
  '/inside': (_, response) => response.writeHead(302, { location: `http://127.0.0.1:${port}/owl.png` }).end(),
  '/file': (_, response) => response.writeHead(302, { location: 'file:///etc/passwd' }).end(),
  '/round': (_, response) => response.writeHead(302, { location: '/round' }).end(),
  '/announced': (_, response) => response.writeHead(200, { 'content-length': '999999999' }).end('a'),
  '/endless': (_, response) => {
    const timer = setInterval(() => response.write('a'.repeat(1000)), 1)
    response.on('close', () => clearInterval(timer))
  },
  '/silent': () => {},
  '/cut': (_, response) => {
    response.writeHead(200, { 'content-length': '100' })
    response.write('a')
    setTimeout(() => response.destroy(), 5)
  },
}

beforeAll(async () => {
  server = createServer((request, response) => {
    asked.push(`${request.headers.host} ${request.url}`)
    answers[request.url!]!(request, response)
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  port = (server.address() as AddressInfo).port
})
afterAll(() => server.close())

/** A fetcher for which names lead to this machine, and 127.0.0.1 counts as public when a name led there. */
const fetcher = (options: Partial<FetchOptions> = {}) =>
  fetcherFrom({
    hosts: ['images.example', '*.cdn.example', '127.0.0.1'],
    bytes: 5000,
    patience: 500,
    lookup: async () => [{ address: '127.0.0.1', family: 4 }],
    isAllowed: () => true,
    ...options,
  })
const get = (path: string, options: Partial<FetchOptions> = {}, host = 'images.example') =>
  fetcher(options)(`http://${host}:${port}${path}`, new AbortController().signal)

describe('a fetcher', () => {
  it('fetches from allowed hosts, through redirects among them, at the address that was looked up', async () => {
    asked = []
    expect(Buffer.from(await get('/owl.png')).toString()).toBe('picture')
    expect(Buffer.from(await get('/there', {}, 'a.cdn.example')).toString()).toBe('picture')
    expect(asked).toEqual([
      `images.example:${port} /owl.png`,
      `a.cdn.example:${port} /there`,
      `a.cdn.example:${port} /owl.png`,
    ])
  })

  it.each([
    ['/elsewhere', 'alone'],
    ['/file', 'neither http'],
    ['/round', 'more than 3 times'],
    ['/missing.png', 'answered 404'],
    ['/announced', 'larger than'],
    ['/endless', 'larger than'],
    ['/silent', 'within 0.5 s'],
    ['/cut', 'could not be fetched'],
  ])('refuses %s: %s', async (path, why) => {
    await expect(get(path)).rejects.toMatchObject({ status: 400, message: expect.stringContaining(why) })
  })

  it('refuses hosts that are not allowed, and names with passwords', async () => {
    await expect(get('/owl.png', {}, 'cdn.example')).rejects.toThrow('alone')
    await expect(get('/owl.png', {}, 'evilcdn.example')).rejects.toThrow('alone')
    await expect(get('/owl.png', {}, 'images.example@127.0.0.1')).rejects.toThrow('password')
    await expect(get('/owl.png', { hosts: [] })).rejects.toThrow('fetches nothing')
  })

  it('reaches no private address, whatever names it', async () => {
    asked = []
    const options = { isAllowed: isPublicAddress }
    // A name that leads inside; one of several; an address itself; a redirect to one.
    await expect(get('/owl.png', options)).rejects.toThrow('not of the public internet')
    const two = async () => [
      { address: '93.184.216.34', family: 4 },
      { address: '10.0.0.1', family: 4 },
    ]
    await expect(get('/owl.png', { ...options, lookup: two })).rejects.toThrow('not of the public internet')
    await expect(get('/owl.png', options, '127.0.0.1')).rejects.toThrow('not of the public internet')
    let count = 0
    const once = { isAllowed: () => count++ === 0 }
    await expect(get('/inside', once)).rejects.toThrow('not of the public internet')
    expect(asked).toEqual([`images.example:${port} /inside`])
  })

  it('does not ask twice for a name’s address, so that a second answer leads nowhere', async () => {
    const addresses = ['127.0.0.1', '10.0.0.1']
    let lookups = 0
    const rebinding = async () => [{ address: addresses[lookups++]!, family: 4 }]
    expect(Buffer.from(await get('/owl.png', { lookup: rebinding })).toString()).toBe('picture')
    expect(lookups).toBe(1)
  })
})

describe('addresses', () => {
  it.each(['93.184.216.34', '8.8.8.8', '2606:2800:220:1:248:1893:25c8:1946'])('%s is public', (address) => {
    expect(isPublicAddress(address)).toBe(true)
  })

  it.each([
    '127.0.0.1',
    '127.255.255.254',
    '10.1.2.3',
    '172.16.0.1',
    '172.31.255.255',
    '192.168.1.1',
    '169.254.169.254',
    '100.64.0.1',
    '0.0.0.0',
    '224.0.0.1',
    '255.255.255.255',
    '::1',
    '::',
    'fe80::1',
    'fe80::1%eth0',
    'fc00::1',
    'fd12::1',
    'ff02::1',
    '::ffff:127.0.0.1',
    '::ffff:8.8.8.8',
    '::ffff:7f00:1',
    '64:ff9b::7f00:1',
    '2002:7f00:1::',
    '2001:0:7f00:1::',
    '2001:db8::1',
    'localhost',
    '',
  ])('%s is not', (address) => {
    expect(isPublicAddress(address)).toBe(false)
  })

  it('of IPv4 in IPv6 are never public, however they are written', () => {
    fc.assert(
      fc.property(
        fc.ipV4(),
        fc.constantFrom('::ffff:', '::', '64:ff9b::', '::ffff:0:'),
        (address, prefix) => {
          expect(isPublicAddress(`${prefix}${address}`)).toBe(false)
        },
      ),
    )
  })
})
