// Emoji of three artists as PNG files by group, and their names as texts: pictures for benchmarks of training.
import { existsSync, mkdirSync, writeFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { join } from 'node:path'
import sharp from 'sharp'

const ARTISTS = ['noto', 'twemoji', 'openmoji']
const PIXELS = 72
/** Of the names, every fifth is kept from training. */
const HELD = 5
const require = createRequire(import.meta.url)

/** Pictures written by {@link writeEmoji}. */
export interface EmojiFiles {
  /** Folders of pictures by group: to train on, and of other emoji, to measure on. */
  readonly train: string
  readonly held: string
  /** The same as JSON lines of `image` and `text`, the emoji's name. */
  readonly trainPairs: string
  readonly heldPairs: string
}

/** A drawing of an emoji. */
interface Drawing {
  readonly group: string
  readonly name: string
  readonly artist: string
}

/**
 * Draws up to so many emoji of each group (animals, food, …), by three artists each, on white. Emoji on which it is measured are not among
 * those that are trained on, by no artist.
 */
export async function writeEmoji(folder: string, perGroup: number): Promise<EmojiFiles> {
  const files: EmojiFiles = {
    train: join(folder, 'train'),
    held: join(folder, 'held'),
    trainPairs: join(folder, 'train.jsonl'),
    heldPairs: join(folder, 'held.jsonl'),
  }
  const pairs = { train: [] as string[], held: [] as string[] }
  for (const [group, names] of groups()) {
    for (const [i, name] of spread(names, perGroup).entries()) {
      const part = i % HELD === 0 ? 'held' : 'train'
      mkdirSync(join(files[part], group), { recursive: true })
      await Promise.all(
        ARTISTS.map(async (artist) => {
          const file = join(files[part], group, `${name} ${artist}.png`)
          if (!existsSync(file)) await draw({ group, name, artist }, file)
          pairs[part].push(`${JSON.stringify({ image: file, text: name.replaceAll('-', ' ') })}\n`)
        }),
      )
    }
  }
  writeFileSync(files.trainPairs, pairs.train.sort().join(''))
  writeFileSync(files.heldPairs, pairs.held.sort().join(''))
  return files
}

interface IconSet {
  readonly icons: Readonly<Record<string, { body: string; width?: number; height?: number }>>
  readonly width?: number
  readonly height?: number
}

const setOf = (artist: string): IconSet => require(`@iconify-json/${artist}/icons.json`) as IconSet

/** Names that all three artists have drawn, by group; neither flags nor one figure in many skins. */
function groups(): Map<string, string[]> {
  const sets = ARTISTS.map(setOf)
  const { categories } = require('@iconify-json/noto/metadata.json') as {
    categories: Record<string, string[]>
  }
  const found = Object.entries(categories).flatMap(([group, names]) => {
    if (group === 'Flags') return []
    const shared = names.filter(
      (name) => sets.every(({ icons }) => name in icons) && !/skin-tone|^(man|woman|men|women)-/.test(name),
    )
    return [[group.replace(/ & .*/, '').toLowerCase(), shared.sort()] as const]
  })
  return new Map(found)
}

/** As many, spread evenly. */
function spread(names: readonly string[], count: number): readonly string[] {
  if (names.length <= count) return names
  return Array.from({ length: count }, (_, i) => names[Math.floor((i * names.length) / count)]!)
}

async function draw({ name, artist }: Drawing, file: string): Promise<void> {
  const { icons, ...set } = setOf(artist)
  const { body, width = set.width ?? 16, height = set.height ?? 16 } = icons[name]!
  const svg = `<svg xmlns="http://www.w3.org/2000/svg" xmlns:xlink="http://www.w3.org/1999/xlink" width="${PIXELS}" height="${PIXELS}" viewBox="0 0 ${width} ${height}">${body}</svg>`
  await sharp(Buffer.from(svg)).flatten({ background: '#fff' }).png().toFile(file)
}
