import {
  chmodSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs'
import { writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, describe, expect, it } from 'vitest'
import { PipiloError } from '../errors.ts'
import { fileError, openTemporary, temporaryName, writeFileAtomic } from './atomic.ts'

const folder = mkdtempSync(join(tmpdir(), 'pipilo-files-'))
afterAll(() => rmSync(folder, { recursive: true }))

describe('writeFileAtomic', () => {
  it('writes text, bytes and chunks of them', async () => {
    const path = join(folder, 'a.txt')
    await writeFileAtomic(path, 'one')
    expect(readFileSync(path, 'utf8')).toBe('one')
    await writeFileAtomic(
      path,
      (async function* () {
        yield 'two '
        yield Buffer.from('three')
      })(),
    )
    expect(readFileSync(path, 'utf8')).toBe('two three')
    expect(readdirSync(folder)).toEqual(['a.txt'])
  })

  it('keeps the old file and leaves no other when it fails', async () => {
    const path = join(folder, 'a.txt')
    await writeFileAtomic(path, 'old')
    const failing = (async function* () {
      yield 'new'
      throw new RangeError('enough')
    })()
    await expect(writeFileAtomic(path, failing)).rejects.toThrow(RangeError)
    expect(readFileSync(path, 'utf8')).toBe('old')
    expect(readdirSync(folder)).toEqual(['a.txt'])
  })

  it('says what was wrong with the place', async () => {
    const folderPath = join(folder, 'folder')
    mkdirSync(folderPath)
    await expect(writeFileAtomic(folderPath, 'x')).rejects.toThrow(
      expect.objectContaining({ code: 'NOT_A_FILE' }),
    )
    await expect(writeFileAtomic(join(folder, 'none/x'), 'x')).rejects.toThrow(
      expect.objectContaining({ code: 'WRITE_FAILED' }),
    )
    rmSync(folderPath, { recursive: true })
  })
})

describe('fileError', () => {
  const system = (code: string) => Object.assign(new Error(code), { code })

  it('explains a full disk, as the system reports it', async () => {
    const error = await writeFile('/dev/full', 'x').catch((reason: unknown) => reason)
    const explained = fileError(error, 'x.onnx', 'write')
    if (process.platform === 'linux') {
      expect(explained).toMatchObject({ code: 'WRITE_FAILED', input: 'x.onnx' })
      expect(explained.message).toBe(
        'Cannot write x.onnx: the disk is full. Free some space or write elsewhere.',
      )
    }
  })

  it.each([
    ['ENOENT', 'read', 'FILE_NOT_FOUND'],
    ['EISDIR', 'read', 'NOT_A_FILE'],
    ['EACCES', 'read', 'FILE_UNREADABLE'],
    ['EACCES', 'write', 'WRITE_FAILED'],
    ['EROFS', 'write', 'WRITE_FAILED'],
    ['ENOSPC', 'write', 'WRITE_FAILED'],
    ['EISDIR', 'write', 'NOT_A_FILE'],
    ['EWHATEVER', 'read', 'FILE_UNREADABLE'],
  ] as const)('%s at %s is %s', (code, action, stable) => {
    expect(fileError(system(code), 'a', action).code).toBe(stable)
  })

  it('leaves our own errors alone', () => {
    const own = new PipiloError('FORMAT_INVALID', 'No.')
    expect(fileError(own, 'a', 'read')).toBe(own)
  })
})

describe.skipIf(process.platform === 'win32')('temporary files', () => {
  it('have the permissions of what they replace, at once', async () => {
    const path = join(folder, 'private')
    writeFileSync(path, 'old')
    for (const mode of [0o600, 0o640, 0o444, 0o755]) {
      chmodSync(path, mode)
      const { temporary, file } = await openTemporary(path)
      expect(statSync(temporary).mode & 0o777).toBe(mode)
      await file.close()
      rmSync(temporary)
      await writeFileAtomic(path, 'new')
      expect(statSync(path).mode & 0o777).toBe(mode)
    }
  })

  it('have names that nobody guesses, and replace a link rather than what it leads to', async () => {
    const names = Array.from({ length: 100 }, () => temporaryName('x'))
    expect(new Set(names).size).toBe(100)
    for (const name of names) expect(name).toMatch(/^\.x\.[0-9a-f]{32}\.tmp$/)
    writeFileSync(join(folder, 'target'), 'kept')
    symlinkSync('target', join(folder, 'link'))
    await writeFileAtomic(join(folder, 'link'), 'new')
    expect(readFileSync(join(folder, 'target'), 'utf8')).toBe('kept')
    expect(readFileSync(join(folder, 'link'), 'utf8')).toBe('new')
  })
})
