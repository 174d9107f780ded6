// Inputs of requests, counted and made into items.

import { Turns } from '../../base/index.ts'
import { Refusal } from '../http/refusal.ts'
import type { Item } from '../models/items.ts'
import type { Services } from '../services.ts'
import type { PictureField } from './fields.ts'

/** A text or a picture, as the interfaces write it. */
export type InputField =
  | string
  | { readonly text: string }
  | { readonly image: PictureField }
  | Exclude<PictureField, string>

/** Pictures of a request that are fetched at a time. */
const AT_A_TIME = 8

/**
 * Gives the pictures of one request: some at a time, and together no more bytes than a body may have. URLs are short, and each may stand for a
 * large file.
 *
 * @throws Refusal 400 for those that cannot be had, 413 past the limit
 */
export function picturesOf(
  { limits, picture }: Pick<Services, 'limits' | 'picture'>,
  signal: AbortSignal,
): (given: PictureField, label: string) => Promise<Uint8Array> {
  const turns = new Turns(AT_A_TIME)
  let bytes = 0
  const check = () => {
    if (bytes <= limits.body) return
    throw new Refusal(
      413,
      'body_too_large',
      `The request's pictures have more than ${limits.body.toLocaleString('en')} bytes together.`,
    )
  }
  return (given, label) =>
    turns.run(async () => {
      check()
      const found = await picture(given, label, signal)
      bytes += found.length
      check()
      return found
    })
}

/**
 * Items of a request's inputs.
 *
 * @param field that the inputs stand in, for errors
 * @param asPicture how the interface sends pictures, for errors
 * @throws Refusal 400 for none, for too many, for empty texts, for pictures sent as texts, and for those that cannot be had
 */
export async function itemsOf(
  inputs: readonly InputField[],
  field: string,
  services: Pick<Services, 'limits' | 'picture'>,
  signal: AbortSignal,
  asPicture = usualPicture,
): Promise<Item[]> {
  checkNumber(inputs.length, field, services.limits.inputs)
  const picture = picturesOf(services, signal)
  return Promise.all(
    inputs.map(async (input, i): Promise<Item> => {
      const text = typeof input === 'string' ? input : 'text' in input ? input.text : undefined
      if (text === '') throw new Refusal(400, 'invalid_request', `Input ${i} is an empty text.`, { field })
      if (text !== undefined) {
        checkText(text, `Input ${i}`, field, asPicture)
        return { text }
      }
      const given = input as Exclude<InputField, string | { readonly text: string }>
      return { image: await picture('image' in given ? given.image : given, `Input ${i}`) }
    }),
  )
}

const usualPicture = '{ "image": "data:image/…" }'

/**
 * A picture as a data URL has a vector also where it is read letter by letter, which nobody wants.
 *
 * @throws Refusal 400
 */
export function checkText(text: string, label: string, field: string, asPicture = usualPicture): void {
  if (!/^\s*data:image\/[\w.+-]+(?:\s*;[\w.+=-]*)*,/i.test(text.slice(0, 256))) return
  throw new Refusal(
    400,
    'invalid_request',
    `${label} is a picture (a data: URL), sent as a text. Send it as ${asPicture} to a model that takes pictures.`,
    { field },
  )
}

/** @throws Refusal 400 for no input, and for more than are taken at a time */
export function checkNumber(count: number, field: string, most: number): void {
  if (count === 0)
    throw new Refusal(400, 'invalid_request', `${field} is empty: there is nothing to embed.`, { field })
  if (count <= most) return
  throw new Refusal(
    400,
    'invalid_request',
    `${field} has ${count} entries; ${most.toLocaleString('en')} are taken at a time.`,
    { field },
  )
}
