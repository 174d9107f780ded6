/**
 * Near-duplicate pictures of a folder, or of emoji that lie in it smaller, cropped and as JPEG: groups around a representative. The
 * threshold is the model's own, or chosen from pairs that somebody labelled.
 *
 *     npx tsx nearDuplicates.ts [FILE]...      # in examples/, after npm ci
 */
import { pathToFileURL } from 'node:url'
import { embedder, type Input } from 'pipilo'
import { duplicates, duplicateThreshold } from 'pipilo/evaluate'
import sharp from 'sharp'
import { emoji } from './emoji.ts'

/** Groups of two and more, as indices of the pictures, and how many could go. */
export async function groupsOf(pictures: readonly Input[], threshold?: number) {
  await using e = await embedder('mobilenet-v2-whitened')
  const found = await duplicates(e, pictures, threshold === undefined ? {} : { threshold })
  return { ...found, groups: found.groups.map(({ members }) => members.map(({ index }) => index)) }
}

/** The threshold that tells labelled pairs apart best. */
export async function thresholdFor(pairs: readonly { a: Input; b: Input; duplicate: boolean }[]) {
  await using e = await embedder('mobilenet-v2-whitened')
  return await duplicateThreshold(e, pairs)
}

/** A picture as others send it on: on white, smaller, as JPEG, its border cut. */
export async function copies(svg: Uint8Array): Promise<Uint8Array[]> {
  const drawn = await sharp(svg).resize(240, 240).flatten({ background: '#fff' }).png().toBuffer()
  return [
    drawn,
    await sharp(drawn).resize(96, 96).png().toBuffer(),
    await sharp(drawn).jpeg({ quality: 40 }).toBuffer(),
    await sharp(drawn).extract({ left: 8, top: 8, width: 224, height: 224 }).png().toBuffer(),
  ]
}

if (import.meta.url === pathToFileURL(process.argv[1]!).href) {
  const files = process.argv.slice(2)
  const drawn = emoji('noto').filter(({ name }) => ['fox', 'sunflower', 'guitar', 'avocado'].includes(name))
  const pictures = files.length > 0 ? files : (await Promise.all(drawn.map(({ svg }) => copies(svg)))).flat()
  const { groups, threshold, redundant } = await groupsOf(pictures)
  const counted = (count: number, one: string) => `${count} ${count === 1 ? one : `${one}s`}`
  console.log(
    `${counted(groups.length, 'group')} at a cosine of ${threshold}; ${counted(redundant, 'picture')} could go.`,
  )
  for (const group of groups) console.log(group.map((index) => files[index] ?? `picture ${index}`).join('  '))
}
