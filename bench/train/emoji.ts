// Emoji of three artists as PNG files by group, and their names as texts: pictures for benchmarks of training.
import { copyFileSync, existsSync, mkdirSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { drawPictures, type Emoji, emojiList, picturePath } from '../../examples/claims/emoji/pictures.ts'

const ARTISTS = ['noto', 'twemoji', 'openmoji']
/** Folder of the drawn pictures, for all benchmarks. */
const DRAWN = join(tmpdir(), 'pipilo-emoji')
/** Of the names, every fifth is kept from training. */
const HELD = 5

/** Pictures written by {@link writeEmoji}. */
export interface EmojiFiles {
  /** Folders of pictures by group: to train on, and of other emoji, to measure on. */
  readonly train: string
  readonly held: string
  /** The same as JSON lines of `image` and `text`, the emoji's name. */
  readonly trainPairs: string
  readonly heldPairs: string
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
  await drawPictures(DRAWN, ARTISTS)
  for (const [group, all] of groups()) {
    for (const [i, emoji] of spread(all, perGroup).entries()) {
      const part = i % HELD === 0 ? 'held' : 'train'
      // Some names have signs that no file's may have: `keycap: *`.
      const name = `${emoji.label.replace(/[^\w-]+/g, ' ').trim()} ${emoji.hexcode}`
      mkdirSync(join(files[part], group), { recursive: true })
      for (const artist of ARTISTS) {
        const file = join(files[part], group, `${name} ${artist}.png`)
        copyFileSync(picturePath(DRAWN, artist, emoji), file)
        pairs[part].push(`${JSON.stringify({ image: file, text: emoji.label })}\n`)
      }
    }
  }
  writeFileSync(files.trainPairs, pairs.train.sort().join(''))
  writeFileSync(files.heldPairs, pairs.held.sort().join(''))
  return files
}

/** Emoji that all three artists have drawn, by group; neither flags nor one figure in many skins. */
function groups(): Map<string, Emoji[]> {
  const found = new Map<string, Emoji[]>()
  for (const emoji of emojiList()) {
    if (emoji.group === 'flags' || /^(man|woman|men|women)\b/.test(emoji.label)) continue
    if (!ARTISTS.every((artist) => existsSync(picturePath(DRAWN, artist, emoji)))) continue
    found.set(emoji.group, [...(found.get(emoji.group) ?? []), emoji])
  }
  return found
}

/** As many, spread evenly. */
function spread(all: readonly Emoji[], count: number): readonly Emoji[] {
  if (all.length <= count) return all
  return Array.from({ length: count }, (_, i) => all[Math.floor((i * all.length) / count)]!)
}
