// Errors of the library in the words of HTTP: a client has neither its functions nor the command line.
import type { PipiloError } from '../../base/index.ts'

/** Hints of the library, and what a client can do instead. */
const translations: readonly (readonly [RegExp, string])[] = [
  [/^Make it smaller, or raise maxPixels\.$/, 'Make it smaller.'],
  [/^Decode fewer pictures at a time.*/, 'Send fewer pictures at a time, or smaller ones.'],
  [/^Shorten it, split it with chunk.*/, 'Shorten it, or let truncate cut it.'],
  [/^Leave out empty texts.*/, 'Leave out empty texts.'],
  [/ For these very words before every text .*/, ' Words of your own before every text are sent as prompt.'],
  [/^To delete the whole collection: .*/, 'To delete the whole collection: DELETE /v1/collections/NAME.'],
  [/^Use the embedder that the collection was made with\.$/, 'Embed with the model that it was made with.'],
  [
    /^Use the embedder that it was made with, or another collection\.$/,
    'Name the model, layer and pooling that it was made with (or none), or another collection.',
  ],
  [/^The database is empty; .*/, 'The database is empty; the first upsert makes a collection.'],
  [/^A vector is a Float32Array or .*/, 'A vector is a list of numbers.'],
  [/^Call again when some of them have ended.*/, 'Ask again when some of them have ended.'],
]

/** Words that a client of HTTP can do nothing with: options of the command line, calls, names of the library. */
const foreign =
  /(?:^|\s)--?\w|\w\(|=>|\b(?:maxPixels|onError|chunk|embedder|Float32Array|Uint8Array|npm|import|cwd|tokenizer beside|pipilo \w+)\b/

/** The error's sentence with its hint as a client of HTTP can follow it, or without. */
export function wordsForHttp({ message, hint }: Pick<PipiloError, 'message' | 'hint'>): string {
  if (hint === undefined || !message.endsWith(hint)) return message
  const sentence = message.slice(0, message.length - hint.length).trimEnd()
  let told = hint
  for (const [pattern, instead] of translations) told = told.replace(pattern, instead)
  return foreign.test(told) ? sentence : `${sentence} ${told}`
}
