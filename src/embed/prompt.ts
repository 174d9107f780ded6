// The words before a text: those of a prompt that a model names, or a caller's own.

import { closest, PipiloError } from '../base/index.ts'
import type { Card, Modality } from '../models/index.ts'
import type { PromptsFor } from './recipe/types.ts'
import type { Embedder, Prompt } from './types.ts'

/** Names of prompts that an error lists at most: instruction models have more than a hundred. */
const MOST_LISTED = 20

/** Names that models give their prompts, as sentence-transformers looks for them in `encode_query` and `encode_document`. */
const NAMES = { query: ['query'], document: ['document', 'passage', 'corpus'] } as const

/**
 * The prompts that a query and a document have of their own: names of prompts that hold words.
 *
 * @example
 * ```ts
 * promptsFor({ query: 'query: ', passage: 'passage: ' })   // { query: 'query', document: 'passage' }
 * ```
 *
 * @see https://sbert.net/docs/package_reference/sentence_transformer/SentenceTransformer.html
 */
export function promptsFor(prompts: Readonly<Record<string, string>> = {}): PromptsFor {
  const named = (names: readonly string[]) => {
    const name = names.find((known) => Object.hasOwn(prompts, known))
    return name !== undefined && prompts[name] !== '' ? name : undefined
  }
  const [query, document] = [named(NAMES.query), named(NAMES.document)]
  return { ...(query !== undefined && { query }), ...(document !== undefined && { document }) }
}

/** The prompt of a query without one of its own: the model's for queries, else its usual one. That of what is stored is another. */
export const queryPrompt = ({ recipe, card }: Pick<Embedder, 'recipe' | 'card'>): string =>
  recipe.text?.promptsFor?.query ?? promptsFor(recipe.text?.prompts).query ?? card.text?.defaultPrompt ?? ''

/** Facts of a model in which a prompt is looked up. */
interface Prompted {
  readonly name: string
  readonly modality: Modality
  readonly card: Pick<Card, 'text'>
}

/**
 * The words that a prompt puts before every text; without a prompt the card's default, `''` for none.
 *
 * @throws PipiloError `PROMPT_UNKNOWN` for a name that the model's prompts do not have, `OPTION_INVALID` for what is no prompt, and for
 *   any prompt of a model of pictures
 */
export function promptWords(model: Prompted, prompt: Prompt | undefined): string {
  const { name, modality, card } = model
  if (modality === 'image') refusePrompt(prompt, `${name} embeds pictures`)
  if (modality === 'tensor') refusePrompt(prompt, `${name} embeds tensors`)
  const given: unknown = prompt ?? card.text?.defaultPrompt ?? ''
  if (typeof given === 'object' && given !== null && 'text' in given && typeof given.text === 'string')
    return given.text
  if (typeof given !== 'string') {
    throw new PipiloError('OPTION_INVALID', `prompt is ${described(given)}.`, {
      input: 'prompt',
      hint: "Write the name of one of the model's prompts, or { text: '…' } for words of your own.",
    })
  }
  const prompts = card.text?.prompts ?? {}
  if (Object.hasOwn(prompts, given)) return prompts[given]!
  if (given === '') return ''
  throw unknownPrompt(name, given, Object.keys(prompts))
}

/**
 * Refuses a prompt where there are only pictures.
 *
 * @param why the beginning of the sentence: what it is that takes no prompt
 * @throws PipiloError `OPTION_INVALID`
 */
export function refusePrompt(prompt: Prompt | undefined, why: string): void {
  if (prompt === undefined) return
  throw new PipiloError('OPTION_INVALID', `${why}, and a prompt is put before texts.`, {
    input: 'prompt',
    hint: 'Leave out the prompt.',
  })
}

function unknownPrompt(model: string, prompt: string, names: readonly string[]): PipiloError {
  const listed = [...new Set([...closest(prompt, names, MOST_LISTED), ...names])]
  const more = listed.length > MOST_LISTED ? ` and ${listed.length - MOST_LISTED} more` : ''
  const known = names.length
    ? `It names ${listed.slice(0, MOST_LISTED).join(', ')}${more}.`
    : 'It names no prompts.'
  const words = `{ text: ${JSON.stringify(prompt)} }`
  return new PipiloError('PROMPT_UNKNOWN', `${model} has no prompt '${prompt}'.`, {
    input: prompt,
    hint: `${known} For these very words before every text write ${words}, on the command line --prompt-text.`,
  })
}

function described(value: unknown): string {
  if (value === null) return 'null'
  if (Array.isArray(value)) return 'an array'
  return typeof value === 'object' ? 'an object without a text' : `of type ${typeof value}`
}
