// A map as a PNG: its SVG, drawn.
import { renderSvg } from '../../embed/index.ts'
import type { Drawn, DrawOptions, EmbeddingMap } from '../types.ts'
import { mapSvg } from './mapSvg.ts'

/** Pixels of the PNG to one of the SVG. */
const SCALE = 2

/** See `mapPng` in ../onDemand.ts. */
export async function mapPng(
  map: EmbeddingMap,
  options: DrawOptions = {},
): Promise<Drawn & { readonly png: Uint8Array }> {
  const { svg, withoutThumbnail } = await mapSvg(map, options)
  return { png: await renderSvg(svg, SCALE), withoutThumbnail }
}
