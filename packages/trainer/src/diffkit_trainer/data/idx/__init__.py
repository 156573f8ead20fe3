"""IDX files, the format of MNIST and of the bundled digits. Imports images, errors, files and pixels."""
