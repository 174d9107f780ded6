// Pictures as data URLs, which is how servers take them.
import { PipiloError } from '../../base/index.ts'
import { loadSharp } from '../pictures/decode.ts'
import { decodeSource } from '../pictures/image.ts'
import { imageSource } from '../pictures/imageSource.ts'
import { isRawImage } from '../pictures/rawImage.ts'
import { svgOf } from '../pictures/svg.ts'
import type { Input } from '../types.ts'

/** A picture as a data URL: as it is where every server reads it, else as PNG. */
export async function dataUrlOf(input: Input, label: string, signal: AbortSignal): Promise<string> {
  const source = await imageSource(input, label, { signal })
  const { name, data } = source
  if (await svgOf(source)) {
    const png = (await decodeSource(source, { kind: 'png' }, { signal })) as Uint8Array
    return `data:image/png;base64,${Buffer.from(png).toString('base64')}`
  }
  const sharp = await loadSharp()
  const picture = isRawImage(data)
    ? sharp(data.data, { raw: { width: data.width, height: data.height, channels: data.channels } })
    : sharp(data)
  try {
    const { format } = await picture.metadata()
    const known = !isRawImage(data) && ['jpeg', 'png', 'webp', 'gif'].includes(format)
    const bytes = known ? await bytesIn(data) : await picture.png().toBuffer()
    return `data:image/${known ? format : 'png'};base64,${Buffer.from(bytes).toString('base64')}`
  } catch (cause) {
    throw new PipiloError('IMAGE_INVALID', `${name} is not a picture that can be read.`, {
      input: name,
      cause,
    })
  }
}

async function bytesIn(data: string | Uint8Array): Promise<Uint8Array> {
  if (typeof data !== 'string') return data
  const { readFile } = await import('node:fs/promises')
  return readFile(data)
}

/** The least picture. */
export const onePixel = () =>
  dataUrlOf(
    { width: 1, height: 1, channels: 3, data: new Uint8Array(3) },
    'the probe',
    new AbortController().signal,
  )
