/** Stylesheets are bundled for what they do. */
declare module "*.css";
