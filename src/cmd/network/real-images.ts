/** Real images for the nodes of a cluster: one store for all, and what runs their containers. */
import { join } from "node:path";
import { ImageStore } from "../../kubelet/images/image-store.ts";
import { openImageSource } from "../../kubelet/images/open-source.ts";
import { PulledImages } from "../../kubelet/runtime/oci/pulled-images.ts";
import { findOciTool, type OciTool } from "../../kubelet/runtime/oci/tool.ts";
import { findImage, type RealImages } from "../../kubelet/runtime/process/images.ts";
import { FairleadError } from "../../lib/errors.ts";
import { builtInImages } from "../images.ts";

export interface ImagesForNodes {
  readonly realImages: RealImages;
  readonly oci: OciTool;
  /** Whether a container of that image has a real one: no program of this machine stands behind it. */
  isReal(image: string): boolean;
}

/** `directory`: the cluster's own. Throws FL_UNSUPPORTED without an OCI runtime, FL_CONFIG for a source that is none. */
export async function openRealImages(directory: string, sources: readonly string[], isRoot: boolean): Promise<ImagesForNodes> {
  const oci = findOciTool();
  if (oci === undefined)
    throw new FairleadError(
      "FL_UNSUPPORTED",
      "--image-source: real images need an OCI runtime, and this machine has neither crun nor runc",
      {
        hint: "Install one: apt install crun, dnf install crun, apk add crun.",
      },
    );
  const opened = await Promise.all(sources.map(openImageSource));
  const store = new ImageStore({ directory: join(directory, "images"), sources: opened, owners: isRoot });
  await store.open();
  const builtIn = builtInImages();
  return { realImages: new PulledImages({ store }), oci, isReal: (image) => findImage(builtIn, image) === undefined };
}
