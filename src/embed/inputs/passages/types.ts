// Types of passages: parts of a file that are embedded one by one.

/** A part of a text file, as it is embedded and shown. */
export interface Passage {
  /** Text of the passage, without tags and marks. */
  readonly text: string
  /** Headings above it that its text does not begin with, joined by ` > `; for code the signatures around it. */
  readonly heading?: string
  /** The nearest of them, as many as are not long together, joined likewise: they are embedded before the text. */
  readonly lead?: string
  /** First and last line, from 1: of a DOCX its paragraphs, of a Parquet file its row, of a PDF those of its page. */
  readonly line: number
  readonly endLine: number
  /** Page of a PDF, from 1. */
  readonly page?: number
}

/** A paragraph, heading, list, table, function: what stays together where it fits. */
export interface Block {
  readonly text: string
  readonly line: number
  readonly endLine: number
  readonly page?: number
  /** Headings above it, the nearest last. */
  readonly sections: readonly string[]
  /** The text begins with the last of `sections`. */
  readonly opens?: boolean
  /** Nothing else is put into its passage, as with functions. */
  readonly alone?: boolean
  /** Lines are cut before sentences, as in code. */
  readonly byLine?: boolean
  /** Every line of the text is one of the file. */
  readonly exact?: boolean
}

/** Length of passages, and how it is measured. */
export interface PassageLength {
  /** Tokens that a passage has at most, without prompt and special tokens. */
  readonly tokens: number
  /** Tokens that it has at most with the headings before it, which are no part of its own length. Default: any number. */
  readonly most?: number
  /** Tokens up to which code and tables stay whole, with the headings before them. Default: `tokens`. */
  readonly whole?: number
  /** Tokens that neighbours share at most, where a paragraph is cut. */
  readonly overlap: number
  /** Tokens of a text. */
  count(text: string): number
}
