import { mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { createServer, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import sharp from 'sharp'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { Allow } from '../types.ts'
import { fetchPicture } from './fetchPicture.ts'
import { decodeImage } from './image.ts'

let folder: string
let server: Server
let at: string
let png: Buffer

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'pipilo-allow-'))
  png = await sharp({ create: { width: 2, height: 2, channels: 3, background: '#f00' } })
    .png()
    .toBuffer()
  writeFileSync(join(folder, 'in.png'), png)
  writeFileSync(join(folder, 'secret.txt'), 'the password is swordfish')
  server = createServer((request, response) => {
    const { url = '' } = request
    if (url === '/never') return
    if (url === '/slow') {
      response.write('a')
      setInterval(() => response.write('a'), 20).unref()
      return
    }
    if (url === '/stalls') return void response.write('a')
    if (url === '/endless') {
      const more = () => {
        while (!response.destroyed && response.write(Buffer.alloc(1 << 16)));
      }
      response.on('drain', more)
      return more()
    }
    if (url === '/announced') return void response.writeHead(200, { 'content-length': 1e12 }).flushHeaders()
    if (url === '/round') return void response.writeHead(302, { location: '/round' }).end()
    if (url === '/elsewhere')
      return void response.writeHead(302, { location: at.replace('127.0.0.1', 'localhost') }).end()
    if (url === '/file') return void response.writeHead(302, { location: 'file:///etc/passwd' }).end()
    response.end(png)
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  at = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
})
afterAll(() => {
  server.closeAllConnections()
  server.close()
  rmSync(folder, { recursive: true })
})

const decode = (input: string | Uint8Array, allow?: Allow) =>
  decodeImage(input, undefined, { ...(allow && { allow }) })

describe('What inputs may name', () => {
  it('is everything, unless it is said', async () => {
    for (const input of [join(folder, 'in.png'), `${at}/a.png`]) expect((await decode(input)).width).toBe(2)
    const none = { paths: false, urls: false }
    expect((await decode(png, none)).width).toBe(2)
    expect((await decode(`data:image/png;base64,${png.toString('base64')}`, none)).width).toBe(2)
  })

  it('is no path, or those in some folders, links followed', async () => {
    const path = join(folder, 'in.png')
    const denied = { code: 'INPUT_DENIED' }
    await expect(decode(path, { paths: false })).rejects.toMatchObject(denied)
    await expect(decode(pathToFileURL(path).href, { paths: false })).rejects.toMatchObject(denied)
    expect((await decode(path, { paths: [folder] })).width).toBe(2)
    expect((await decode(path, { paths: [path] })).width).toBe(2)
    const allow = { paths: [mkdtempSync(join(folder, 'inner-'))] }
    const link = join(allow.paths[0]!, 'link.png')
    symlinkSync(path, link)
    for (const outside of [
      path,
      link,
      join(allow.paths[0]!, '../in.png'),
      join(folder, 'missing'),
      '/etc/passwd',
    ])
      await expect(decode(outside, allow)).rejects.toMatchObject(denied)
  })

  it('is no address, or those of some hosts, after redirects too', async () => {
    const denied = { code: 'INPUT_DENIED' }
    await expect(decode(`${at}/a.png`, { urls: false })).rejects.toMatchObject(denied)
    await expect(decode(`${at}/a.png`, { hosts: ['example.org', '*.0.0.2'] })).rejects.toMatchObject(denied)
    expect((await decode(`${at}/a.png`, { hosts: ['127.0.0.1'] })).width).toBe(2)
    expect((await decode(`${at}/a.png`, { hosts: ['*.0.0.1'] })).width).toBe(2)
    await expect(decode(`${at}/elsewhere`, { hosts: ['127.0.0.1'] })).rejects.toMatchObject(denied)
  })
})

describe('A picture of a server', () => {
  it.each([
    ['/never', 'more than 0.2 s'],
    ['/stalls', 'more than 0.2 s'],
    ['/slow', 'more than 0.6 s'],
    ['/endless', 'larger than'],
    ['/announced', 'larger than'],
    ['/round', 'redirects more than'],
    ['/file', 'redirects to file:'],
  ])('that answers as %s does, ends', async (path, message) => {
    const limits = { patience: 200, longest: 600, bytes: 1 << 20 }
    const fetching = fetchPicture(`${at}${path}`, undefined, undefined, limits)
    await expect(fetching).rejects.toMatchObject({
      code: 'NETWORK',
      message: expect.stringContaining(message),
    })
  })

  it('ends with the signal', async () => {
    const fetching = fetchPicture(`${at}/never`, undefined, AbortSignal.timeout(50))
    await expect(fetching).rejects.toMatchObject({ code: 'ABORTED' })
  })
})

it('Errors tell nothing of a file that is no picture, and no password of an address', async () => {
  const text = await decode(join(folder, 'secret.txt')).catch((error) => error)
  expect(text).toMatchObject({ code: 'IMAGE_INVALID' })
  expect(JSON.stringify(text)).not.toMatch(/password|swordfish|7468/)
  const address = await decode('http://me:swordfish@127.0.0.1/a.png').catch((error) => error)
  expect(address).toMatchObject({ code: 'INPUT_INVALID' })
  expect(JSON.stringify(address)).not.toMatch(/swordfish/)
  await expect(decode('http://%ZZ/a.png')).rejects.toMatchObject({ code: 'INPUT_INVALID' })
  await expect(decode('file:///%ZZ')).rejects.toMatchObject({ code: 'INPUT_INVALID' })
})
