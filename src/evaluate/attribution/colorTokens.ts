// Tokens in colours for the terminal.
import { checkOptions, is, type OptionTable } from '../../base/index.ts'
import type { TextAttribution, TokenShare } from './types.ts'

const colorTokensTypes: OptionTable<ColorTokensOptions> = { color: is.flag }

/** Options of {@link colorTokens}. */
export interface ColorTokensOptions {
  /** Default: where standard output is a terminal and `NO_COLOR` (https://no-color.org) is not set. */
  readonly color?: boolean
}

/**
 * The tokens of a text in one line: on red where they raise the similarity, on blue where they lower it, the stronger the larger the share.
 *
 * @example
 * ```ts
 * console.log(colorTokens(await attribute(e, 'The towhee sings', 'bird')))
 * ```
 *
 * @remarks
 * Special tokens are faint. Without colours each token has its share behind it: `tow (+0.12)`.
 */
export function colorTokens({ tokens }: TextAttribution, options: ColorTokensOptions = {}): string {
  checkOptions('colorTokens', options, colorTokensTypes)
  const { color = isColourful() } = options
  const most = tokens.reduce((sofar, { value }) => Math.max(sofar, Math.abs(value)), 0)
  return tokens.map((token) => (color ? coloured(token, most) : written(token))).join(' ')
}

function isColourful(): boolean {
  // An empty NO_COLOR counts as none.
  return process.stdout.isTTY === true && !process.env['NO_COLOR']
}

function written({ text, special, value }: TokenShare): string {
  return special ? text : `${text} (${value < 0 ? '' : '+'}${value.toFixed(2)})`
}

function coloured({ text, special, value }: TokenShare, most: number): string {
  if (special) return `\x1b[2m${text}\x1b[0m`
  const fade = Math.round(255 * (1 - 0.75 * (most === 0 ? 0 : Math.abs(value) / most)))
  const background = value < 0 ? `${fade};${fade};255` : `255;${fade};${fade}`
  return `\x1b[30;48;2;${background}m${text}\x1b[0m`
}
