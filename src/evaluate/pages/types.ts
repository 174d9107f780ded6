// Types of pages.

/** Options of {@link suspectsPage} and {@link duplicatesPage}. */
export interface PageOptions {
  readonly title?: string
  /** Rows or groups that are shown. Default 1000: thumbnails take about 3 kB each. */
  readonly most?: number
  readonly signal?: AbortSignal
}
