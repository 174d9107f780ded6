/** A text of 34 tokens of all-MiniLM-L6-v2. */
export const text =
  'A small brown towhee sings in the brush below the old oak while two other birds look for seeds between the fallen leaves of last autumn, and nobody sees.'
