// Draws a map into a file, by its ending.
import { extname } from 'node:path'
import { writeFileAtomic } from '../base/files/index.ts'
import { PipiloError } from '../base/index.ts'
import type { Drawn, DrawOptions, EmbeddingMap } from './types.ts'

type Drawing = (
  map: EmbeddingMap,
  options: DrawOptions,
) => Promise<{ readonly content: string | Uint8Array; readonly withoutThumbnail: number }>

const drawings: Readonly<Record<string, Drawing>> = {
  '.html': async (map, options) => {
    const { html, withoutThumbnail } = await (await import('./html/mapHtml.ts')).mapHtml(map, options)
    return { content: html, withoutThumbnail }
  },
  '.svg': async (map, options) => {
    const { svg, withoutThumbnail } = await (await import('./chart/mapSvg.ts')).mapSvg(map, options)
    return { content: svg, withoutThumbnail }
  },
  '.png': async (map, options) => {
    const { png, withoutThumbnail } = await (await import('./chart/mapPng.ts')).mapPng(map, options)
    return { content: png, withoutThumbnail }
  },
}

/** The ending of a file that a map can be drawn into. @throws `OPTION_INVALID` */
export function mapEnding(path: string): string {
  const ending = extname(path).toLowerCase()
  if (Object.hasOwn(drawings, ending)) return ending
  throw new PipiloError(
    'OPTION_INVALID',
    `A map is drawn into .html, .svg or .png; ${JSON.stringify(path)} ends otherwise.`,
    {
      input: path,
    },
  )
}

/** See `writeMap` in onDemand.ts. */
export async function writeMap(path: string, map: EmbeddingMap, options: DrawOptions = {}): Promise<Drawn> {
  const draw = drawings[mapEnding(path)]!
  const { content, withoutThumbnail } = await draw(map, options)
  await writeFileAtomic(path, content)
  return { withoutThumbnail }
}
