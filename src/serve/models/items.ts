// Items of requests.

/** One thing to embed. Pictures are bytes here: no string of a request comes further as anything but a text. */
export type Item =
  | { readonly text: string }
  | { readonly image: Uint8Array }
  /** Of the model's own vocabulary, special tokens included. */
  | { readonly ids: readonly number[] }
