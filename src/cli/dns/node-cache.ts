export async function nodeCache(): Promise<number> {
  return 1;
}
