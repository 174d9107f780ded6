/**
 * Draws the emoji of five artists as PNG files of 72 × 72 on white: OUT/<artist>/<group>/<hexcode>.png.
 *
 *     npx tsx emoji/pictures.ts OUT [artist …]     # in examples/claims/; a run that was stopped goes on
 *
 * Groups are Unicode's, from emojibase-data. Skin tones and the group of components are left out. EmojiOne's package names its pictures
 * without their characters: they are known by the other packages' names.
 */
import { existsSync, mkdirSync, readFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { dirname, join } from 'node:path'
import { pathToFileURL } from 'node:url'
import sharp from 'sharp'
import { writeFileAtomic } from '../../../src/base/files/index.ts'

export const ARTISTS = ['noto', 'twemoji', 'openmoji', 'fluent-emoji-flat', 'emojione']

const SIDE = 72
const COMPONENTS = 2

interface Icons {
  readonly width: number
  readonly height: number
  readonly icons: Readonly<Record<string, { body: string; width?: number; height?: number }>>
  readonly aliases?: Readonly<Record<string, { parent: string; hFlip?: boolean }>>
}

const require = createRequire(import.meta.url)
const json = (path: string) => JSON.parse(readFileSync(require.resolve(path), 'utf8'))
const charsOf = (artist: string): Record<string, string> => json(`@iconify-json/${artist}/chars.json`)

/** The hexcode without the selector that asks for the coloured form, in which sets differ. */
const plain = (hexcode: string) => hexcode.toLowerCase().replaceAll('-fe0f', '')

/** An emoji, whoever draws it. */
export interface Emoji {
  /** Code points in lower-case hexadecimal, joined by `-`, without the selector of the coloured form. */
  readonly hexcode: string
  /** Unicode's name: `red apple`. */
  readonly label: string
  /** Further words: `fruit`, `health`. */
  readonly tags: readonly string[]
  /** Unicode's group: `food-drink`. */
  readonly group: string
}

let known: readonly Emoji[] | undefined

/** All emoji but skin tones and components, in Unicode's order. */
export function emojiList(): readonly Emoji[] {
  if (known) return known
  const names: Record<string, string> = json('emojibase-data/meta/groups.json').groups
  const emoji: { hexcode: string; label: string; tags?: string[]; group?: number }[] = json(
    'emojibase-data/en/data.json',
  )
  known = emoji.flatMap(({ hexcode, label, tags = [], group }) =>
    group === undefined || group === COMPONENTS
      ? []
      : [{ hexcode: plain(hexcode), label, tags, group: names[group]! }],
  )
  return known
}

/** Place of an artist's picture of an emoji in the folder of {@link drawPictures}. */
export const picturePath = (folder: string, artist: string, { group, hexcode }: Emoji): string =>
  join(folder, artist, group, `${hexcode}.png`)

/** Names of an artist's pictures by plain hexcode. */
function namesOf(artist: string, icons: Icons): Map<string, string> {
  const own = Object.entries(charsOf(artist))
  const known = own.length > 0 ? own : ARTISTS.flatMap((other) => Object.entries(charsOf(other)))
  const isThere = (name: string) => name in icons.icons || name in (icons.aliases ?? {})
  const found = new Map<string, string>()
  for (const [hexcode, name] of known) {
    const spelled = [name, name.replace(/^flag-/, 'flag-for-')].find(isThere)
    if (spelled !== undefined && !found.has(plain(hexcode))) found.set(plain(hexcode), spelled)
  }
  return found
}

function svgOf(icons: Icons, name: string): string {
  const alias = icons.aliases?.[name]
  const icon = icons.icons[alias?.parent ?? name]
  if (!icon) throw new Error(`There is no picture ${name}.`)
  const { width = icons.width, height = icons.height } = icon
  const body = alias?.hFlip ? `<g transform="translate(${width} 0) scale(-1 1)">${icon.body}</g>` : icon.body
  const names = 'xmlns="http://www.w3.org/2000/svg" xmlns:xlink="http://www.w3.org/1999/xlink"'
  return `<svg ${names} width="${SIDE}" height="${SIDE}" viewBox="0 0 ${width} ${height}">${body}</svg>`
}

/** Draws what is not there yet of an artist. @returns pictures of each group */
async function draw(
  artist: string,
  out: string,
  isWanted: (index: number) => boolean,
): Promise<Record<string, number>> {
  const icons: Icons = json(`@iconify-json/${artist}/icons.json`)
  const names = namesOf(artist, icons)
  const counts: Record<string, number> = {}
  for (const [index, emoji] of emojiList().entries()) {
    const name = names.get(emoji.hexcode)
    if (name === undefined || !isWanted(index)) continue
    counts[emoji.group] = (counts[emoji.group] ?? 0) + 1
    const path = picturePath(out, artist, emoji)
    if (existsSync(path)) continue
    mkdirSync(dirname(path), { recursive: true })
    const white = sharp(Buffer.from(svgOf(icons, name))).flatten({ background: '#fff' })
    await writeFileAtomic(path, await white.png().toBuffer())
  }
  return counts
}

/**
 * Draws the artists' pictures into a folder, one after another.
 *
 * @param isWanted if the emoji at this place of {@link emojiList} is drawn. Default: all are
 * @returns pictures of each group, by artist
 */
export async function drawPictures(
  out: string,
  artists: readonly string[] = ARTISTS,
  isWanted: (index: number) => boolean = () => true,
): Promise<Record<string, Record<string, number>>> {
  const counts: Record<string, Record<string, number>> = {}
  for (const artist of artists) counts[artist] = await draw(artist, out, isWanted)
  return counts
}

if (import.meta.url === pathToFileURL(process.argv[1] ?? '').href) {
  const [out, ...artists] = process.argv.slice(2)
  if (out === undefined) throw new Error('Name the folder to draw into.')
  const counts = await drawPictures(out, artists.length > 0 ? artists : ARTISTS)
  const total = (groups: Record<string, number>) => Object.values(groups).reduce((sum, n) => sum + n, 0)
  console.table(
    Object.fromEntries(
      Object.entries(counts).map(([artist, groups]) => [artist, { ...groups, all: total(groups) }]),
    ),
  )
}
