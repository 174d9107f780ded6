// The parts of a server that its routes use.

import type { PictureField } from './interfaces/fields.ts'
import type { Embedding } from './models/embedding.ts'
import type { ModelTable } from './models/modelTable.ts'
import type { ServeLimits } from './types.ts'

/** Parts that routes share. */
export interface Services {
  readonly embedding: Embedding
  readonly table: ModelTable
  readonly limits: Required<ServeLimits>
  readonly tokenIds: boolean
  /** When the server began, in seconds since 1970. */
  readonly created: number
  readonly version: string
  /** Bytes of a picture of a request. @throws Refusal 400 */
  picture(given: PictureField, label: string, signal: AbortSignal): Promise<Uint8Array>
}
