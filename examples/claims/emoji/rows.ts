/** Emoji as rows of a data set in memory: drawn once, decoded once. */

import { existsSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import sharp from 'sharp'
import type { RawImage } from '../../../src/embed/index.ts'
import { drawPictures, type Emoji, emojiList, picturePath } from './pictures.ts'

/** Folder of the drawn pictures, shared by all claims. */
export const PICTURES = join(tmpdir(), 'pipilo-emoji')

/** A picture of an emoji by an artist. */
export interface Drawing {
  readonly artist: string
  readonly emoji: Emoji
  /** Place of the emoji in {@link emojiList}. */
  readonly index: number
  readonly image: RawImage
}

/** Every sixteenth emoji: those of all quick forms, which so draw and read few. */
export const isQuick = (index: number): boolean => index % 16 === 0

/** Pictures by some artists, brought to `size` × `size`, of all emoji or of those whose place is wanted. */
export async function drawings(
  artists: readonly string[],
  size: number,
  isWanted: (index: number) => boolean = () => true,
): Promise<Drawing[]> {
  await drawPictures(PICTURES, artists, isWanted)
  const wanted = artists.flatMap((artist) =>
    emojiList().flatMap((emoji, index) => {
      const path = picturePath(PICTURES, artist, emoji)
      return isWanted(index) && existsSync(path) ? [{ artist, emoji, index, path }] : []
    }),
  )
  const made: Drawing[] = []
  for (const { path, ...of } of wanted) {
    const { data } = await sharp(path)
      .removeAlpha()
      .toColourspace('srgb')
      .resize(size, size)
      .raw()
      .toBuffer({ resolveWithObject: true })
    made.push({ ...of, image: { width: size, height: size, channels: 3, data } })
  }
  return made
}
