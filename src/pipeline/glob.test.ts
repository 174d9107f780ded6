import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { isAbsolute, join, relative } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { glob } from './index.ts'

let folder: string
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'pipilo-glob-'))
  await mkdir(join(folder, 'deep'))
  for (const name of ['b.jpg', 'a.jpg', 'c.png', '.hidden.jpg', 'deep/d.jpg', 'strange [1].jpg'])
    await writeFile(join(folder, name), '')
})
afterAll(() => rm(folder, { recursive: true }))

const names = async (...patterns: [string, ...string[]]): Promise<string[]> => {
  const paths = await glob(...patterns, { cwd: folder }).toList()
  return paths.map((path) => relative(folder, path))
}

describe('glob', () => {
  it('gives paths in order, each once', async () => {
    expect(await names('*.jpg', '?.jpg')).toEqual(['a.jpg', 'b.jpg', 'strange [1].jpg'])
    expect(await names('**/*.{jpg,png}')).toEqual([
      'a.jpg',
      'b.jpg',
      'c.png',
      'deep/d.jpg',
      'strange [1].jpg',
    ])
    expect(await names('**', '!**/*.jpg')).toEqual(['c.png'])
    expect(await names('deep')).toEqual(['deep/d.jpg'])
  })

  it('takes a name without wildcards as it is', async () => {
    expect(await names('c.png')).toEqual(['c.png'])
    await expect(names('c.png', 'missing.png')).rejects.toMatchObject({
      code: 'FILE_NOT_FOUND',
      input: 'missing.png',
    })
  })

  it('fails when nothing matches at all', async () => {
    expect(await names('*.tif', '*.png')).toEqual(['c.png'])
    await expect(names('*.tif', '*.gif')).rejects.toThrow(/No file matches '\*\.tif', '\*\.gif' in /)
  })

  it('gives paths that can be opened, absolute if asked', async () => {
    const [path] = await glob('c.png', { cwd: folder, absolute: true }).toList()
    expect(path).toBe(join(folder, 'c.png'))
    const [own] = await glob('package.json').toList()
    expect(own).toBe('package.json')
    expect(isAbsolute(own!)).toBe(false)
    expect(await glob(join(folder, '*.png')).toList()).toEqual([join(folder, 'c.png')])
  })

  it('may be read twice', async () => {
    const files = glob('*.jpg', { cwd: folder })
    expect(await files.toList()).toEqual(await files.toList())
  })

  it('leads to the passages of text files', async () => {
    await writeFile(
      join(folder, 'guide.md'),
      '# Guide\n\n## Birds\n\nA towhee sings.\n\n## Trains\n\nThey are late.\n',
    )
    const passages = await glob('*.md', { cwd: folder, absolute: true })
      .passages({ chunk: { tokens: 12 } })
      .toList()
    expect(passages.map(({ text, line, endLine }) => [text, line, endLine])).toEqual([
      ['Guide\n\nBirds\n\nA towhee sings.', 1, 5],
      ['Trains\n\nThey are late.', 7, 9],
    ])
    await writeFile(join(folder, 'bad.md'), Buffer.from('b\xe4d', 'latin1'))
    const both = glob('*.md', { cwd: folder, absolute: true }).passages()
    await expect(both.toList()).rejects.toMatchObject({ code: 'TEXT_INVALID' })
    expect(await both.toList({ onError: 'skip' })).toHaveLength(1)
  })
})
