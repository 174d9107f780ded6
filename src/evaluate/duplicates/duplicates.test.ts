import { copyFileSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import fc from 'fast-check'
import sharp from 'sharp'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { type Embedder, embedder } from '../../embed/index.ts'
import { bestThreshold, duplicates, duplicatesPage, duplicateThreshold } from '../index.ts'

let folder: string
let texts: Embedder
let pictures: Embedder
beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'pipilo-duplicates-'))
  ;[texts, pictures] = (await Promise.all([embedder('all-MiniLM-L6-v2'), embedder('mobilenet-v2')])) as [
    Embedder,
    Embedder,
  ]
})
afterAll(async () => {
  await Promise.all([texts.dispose(), pictures.dispose()])
  rmSync(folder, { recursive: true, force: true })
})

describe('duplicates', () => {
  it('finds smaller, cropped and recompressed copies of photographs, and exact ones', async () => {
    const samples = fileURLToPath(new URL('../../../samples/pictures/', import.meta.url))
    // One of each subject.
    const names = readdirSync(samples).filter((name) =>
      /^(astronaut|cat|coffee|coins|brook)\.jpg$/.test(name),
    )
    expect(names).toHaveLength(5)
    const files: string[] = []
    const family = new Map<string, string>()
    for (const name of names) {
      const from = join(samples, name)
      const { width, height } = await sharp(from).metadata()
      const made = {
        small: sharp(from).resize({ width: Math.round(width / 2) }),
        crop: sharp(from).extract({
          left: Math.round(0.03 * width),
          top: Math.round(0.03 * height),
          width: Math.round(0.94 * width),
          height: Math.round(0.94 * height),
        }),
        poor: sharp(from).jpeg({ quality: 35 }),
      }
      copyFileSync(from, join(folder, `same-${name}`))
      for (const [kind, image] of Object.entries(made)) await image.toFile(join(folder, `${kind}-${name}`))
      for (const file of [
        from,
        ...['same', 'small', 'crop', 'poor'].map((kind) => join(folder, `${kind}-${name}`)),
      ]) {
        files.push(file)
        family.set(file, name)
      }
    }
    const found = await duplicates(pictures, files)
    expect(found.threshold).toBe(pictures.card.duplicates!.threshold)
    const families = found.groups.map(({ members }) => members.map(({ index }) => family.get(files[index]!)))
    expect(families.every((group) => new Set(group).size === 1)).toBe(true)
    expect(found.groups).toHaveLength(5)
    expect(found.redundant).toBeGreaterThanOrEqual(18)
    for (const { representative, members } of found.groups) {
      expect(members[0]).toEqual({ index: representative, similarity: 1, exact: true })
      const scores = members.map(({ similarity }) => similarity)
      expect(scores).toEqual(scores.toSorted((a, b) => b - a))
      // The copy of the same bytes is exactly that of the picture it was made of.
      const exact = members.filter((one) => one.exact).map(({ index }) => files[index]!)
      expect(exact.length === 1 || exact.some((file) => file.includes('same-'))).toBe(true)
    }
    expect(found.cost).toMatchObject({ bytesPerVector: 4 * 96 })
    const page = await duplicatesPage(found, { inputs: files, names: files, modality: 'image' })
    expect(page.match(/<img/g)).toHaveLength(found.redundant + 5)
    expect(page.match(/representative</g)).toHaveLength(5)
  })

  it('groups texts, the same ones at any threshold, and follows no chains', async () => {
    const given = [
      'A bird sings.',
      'a bird sings',
      'Stocks fell <b>',
      'rain',
      'Stocks fell <b>',
      'A bird is singing.',
    ]
    const found = await duplicates(texts, given)
    expect(found.groups.map(({ members }) => members.map(({ index }) => index).sort())).toEqual([
      [0, 1, 5],
      [2, 4],
    ])
    const strict = await duplicates(texts, given, { threshold: 1 })
    expect(strict.groups.flatMap(({ members }) => members)).toContainEqual({
      index: 4,
      similarity: 1,
      exact: true,
    })
    const page = await duplicatesPage(found, { inputs: given, modality: 'text' })
    expect(page).toContain('Stocks fell &lt;b&gt;')
    expect(page).not.toContain('<b>')
    const { groups } = await duplicates(texts, given, { threshold: 0.3 })
    const all = groups.flatMap(({ members }) => members.map(({ index }) => index))
    expect(new Set(all).size).toBe(all.length)
    for (const { members } of groups)
      for (const { similarity } of members) expect(similarity).toBeGreaterThanOrEqual(0.3 - 1e-6)
  })

  it('leaves out what cannot be read, and has an answer for nothing and for one', async () => {
    const bad = join(folder, 'broken.png')
    writeFileSync(bad, 'no picture')
    const good = fileURLToPath(new URL('../../../samples/pictures/cat.jpg', import.meta.url))
    await expect(duplicates(pictures, [good, bad])).rejects.toMatchObject({ code: 'IMAGE_INVALID' })
    const found = await duplicates(pictures, [good, bad, bad, good], { onError: 'skip' })
    expect(found.skipped.map(({ index }) => index)).toEqual([1, 2])
    expect(found.groups).toHaveLength(1)
    expect(await duplicates(texts, [])).toMatchObject({ groups: [], redundant: 0, skipped: [] })
    expect(await duplicates(texts, ['one'])).toMatchObject({ groups: [], redundant: 0 })
  })

  it('refuses a threshold that nobody measured, and one that is no cosine', async () => {
    const other = (await embedder('all-MiniLM-L6-v2', { tap: 'hidden_states.3' })) as Embedder
    await expect(duplicates(other, ['a', 'b'])).rejects.toThrow(/Nobody has measured/)
    expect((await duplicates(other, ['a', 'a'], { threshold: 0.99 })).groups).toHaveLength(1)
    await other.dispose()
    await expect(duplicates(texts, ['a'], { threshold: 1.2 })).rejects.toMatchObject({
      code: 'OPTION_INVALID',
    })
  })
})

describe('the threshold', () => {
  it('has the best F1 of all', () => {
    const pairs = fc.array(fc.tuple(fc.integer({ min: 0, max: 9 }), fc.boolean()), {
      minLength: 2,
      maxLength: 30,
    })
    fc.assert(
      fc.property(pairs, (given) => {
        fc.pre(given.some(([, same]) => same) && given.some(([, same]) => !same))
        const [scores, same] = [given.map(([score]) => score), given.map(([, one]) => one)]
        const f1 = (threshold: number) => {
          const taken = scores.map((score) => score >= threshold)
          const right = taken.filter((one, i) => one && same[i]).length
          return (2 * right) / (taken.filter(Boolean).length + same.filter(Boolean).length)
        }
        const best = bestThreshold(scores, same)
        expect(f1(best.threshold)).toBeCloseTo(best.f1, 12)
        for (let at = -0.5; at < 10; at++) expect(best.f1).toBeGreaterThanOrEqual(f1(at) - 1e-12)
      }),
    )
  })
  it('is chosen from labelled pairs, and refused for pairs of one kind', async () => {
    const pairs = [
      { a: 'an owl', b: 'An owl.', duplicate: true },
      { a: 'an owl', b: 'a tax', duplicate: false },
      { a: 'rain', b: 'raining', duplicate: true },
    ]
    const found = await duplicateThreshold(texts, pairs)
    expect(found).toMatchObject({ f1: 1, precision: 1, recall: 1 })
    await expect(duplicateThreshold(texts, pairs.slice(0, 1))).rejects.toMatchObject({
      code: 'INPUT_INVALID',
    })
    expect(() => bestThreshold([0.1, 0.2], [true, true])).toThrow(/All of the pairs/)
    expect(() => bestThreshold([0.1, Number.NaN], [true, false])).toThrow(/NaN/)
  })
})
